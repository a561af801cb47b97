// SPDX-License-Identifier: Apache-2.0
// All kernels of integer layers, behind one header; see int_layout.h for what goes ahead of it.
#ifndef SCANLET_INT_KERNELS_H_
#define SCANLET_INT_KERNELS_H_

#include "int_conv.h"
#include "int_decay.h"
#include "int_gate.h"
#include "int_layout.h"
#include "int_norm.h"
#include "int_pool.h"
#include "int_product.h"
#include "int_quads.h"
#include "int_scale.h"
#include "int_scan.h"
#include "int_silu.h"
#include "int_softplus.h"
#include "int_stream.h"
#include "int_tables.h"
#include "int_tile_io.h"
#include "real_rows.h"
#include "real_scan.h"

#endif  // SCANLET_INT_KERNELS_H_
