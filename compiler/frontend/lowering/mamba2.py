"""The opaque operator that stands for a recognised Mamba-2 mixer."""

from __future__ import annotations

from typing import Any

import numpy as np

from scanlet.frontend.lowering.context import Context, Value
from scanlet.frontend.lowering.registry import lowers
from scanlet.frontend.mamba2_operator import MAMBA2_ARGUMENTS
from scanlet.graph import Tensor
from scanlet.graph.operators import MAMBA2_WEIGHT_ORDER, Mamba2


@lowers("scanlet.mamba2.default")
def mamba2(context: Context, x: Value, *arguments: Any) -> Tensor:
    # scanlet::mamba2(Tensor x, Tensor in_proj_weight, Tensor? in_proj_bias, Tensor conv_weight,
    #   Tensor? conv_bias, Tensor dt_bias, Tensor A_log, Tensor D, Tensor? norm_weight,
    #   Tensor out_proj_weight, Tensor? out_proj_bias, int groups, int norm_groups,
    #   bool norm_before_gate, float norm_eps, float dt_min, float? dt_max) -> Tensor
    count = len(MAMBA2_ARGUMENTS)
    weights, (groups, norm_groups, before, eps, least, most) = arguments[:count], arguments[count:]
    given = {k: w for k, w in zip(MAMBA2_ARGUMENTS, weights, strict=True) if w is not None}
    a_path = context.path_of(given["A_log"]) or f"{context.name}.A_log"
    a_log = context.fixed(given.pop("A_log"), "A_log")
    conv = given.pop("conv_weight")
    conv_weight = context.fixed(conv, "the convolution's weight")[:, 0, :]
    named = {name: context.tensor(value) for name, value in given.items()}
    named["conv_weight"] = context.named(
        context.path_of(conv) or f"{context.name}.conv_weight", conv_weight
    )
    named["A"] = context.named(a_path.removesuffix("_log"), -np.exp(a_log))
    order = tuple(name for name in MAMBA2_WEIGHT_ORDER if name in named)
    d_inner = named["out_proj_weight"].shape[1]
    channels, d_conv = conv_weight.shape
    op = Mamba2(
        weights=order,
        d_inner=d_inner,
        d_state=(channels - d_inner) // (2 * groups),
        heads=a_log.shape[0],
        d_conv=d_conv,
        groups=groups,
        norm_groups=norm_groups,
        norm_before_gate=before,
        norm_eps=eps,
        dt_min=least,
        dt_max=most,
    )
    return context.emit(op, context.activation(x), *[named[name] for name in order])
