// SPDX-License-Identifier: Apache-2.0
// What surrounds SELECTIVE_SSM in the generic library, behind one header.
#ifndef SCANLET_SHELL_SHELL_H_
#define SCANLET_SHELL_SHELL_H_

#include "activation.h"
#include "binary.h"
#include "conv1d.h"
#include "int_binary.h"
#include "int_layout.h"
#include "int_product.h"
#include "int_reduce.h"
#include "int_softmax.h"
#include "int_unary.h"
#include "layout.h"
#include "linear.h"
#include "pool1d.h"
#include "reduce.h"
#include "softmax.h"
#include "unary.h"

#endif  // SCANLET_SHELL_SHELL_H_
