// SPDX-License-Identifier: Apache-2.0
#include "input_source.h"

extern "C" const float* scanlet_next_input(size_t /*count*/) { return nullptr; }
