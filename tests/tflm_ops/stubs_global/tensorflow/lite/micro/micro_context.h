// SPDX-License-Identifier: Apache-2.0
// TFLM up to August 2026: types in the global namespace.
#ifndef STUBS_MICRO_CONTEXT_H_
#define STUBS_MICRO_CONTEXT_H_

#include <stddef.h>
#include <stdint.h>

#include "tflm_types.h"

namespace tflite {
#include "tflm_context.h"
}  // namespace tflite

#endif  // STUBS_MICRO_CONTEXT_H_
