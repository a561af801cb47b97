// SPDX-License-Identifier: Apache-2.0
// All kernels of the generated operator, behind one header.
#ifndef SCANLET_KERNELS_H_
#define SCANLET_KERNELS_H_

#include "buffers.h"
#include "conv.h"
#include "diagonal_scan.h"
#include "exp2.h"
#include "gated_norm.h"
#include "gelu.h"
#include "inner_norm.h"
#include "madd.h"
#include "norm.h"
#include "pool.h"
#include "product.h"
#include "reciprocal.h"
#include "rows.h"
#include "rsqrt.h"
#include "scan.h"
#include "scan_excess.h"
#include "scan_lift.h"
#include "silu.h"
#include "softplus.h"
#include "ssd_scan.h"
#include "step_limit.h"
#include "stream.h"
#include "tile_io.h"

#endif  // SCANLET_KERNELS_H_
