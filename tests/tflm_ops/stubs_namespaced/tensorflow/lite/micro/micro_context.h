// SPDX-License-Identifier: Apache-2.0
// TFLM after August 2026: types in tflite::micro.
#ifndef STUBS_MICRO_CONTEXT_H_
#define STUBS_MICRO_CONTEXT_H_

#include <stddef.h>
#include <stdint.h>

namespace tflite {
namespace micro {
#include "tflm_types.h"
}  // namespace micro
}  // namespace tflite

namespace tflite {
namespace micro {
#include "tflm_context.h"
}  // namespace micro
}  // namespace tflite

#endif  // STUBS_MICRO_CONTEXT_H_
