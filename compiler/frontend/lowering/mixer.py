"""The opaque operator that stands for a recognised mixer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scanlet.frontend.dialects.base import ARGUMENTS
from scanlet.frontend.lowering.context import Context, Value
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import WEIGHT_ORDER, SelectiveSSM


@lowers("scanlet.selective_ssm.default")
def selective_ssm(context: Context, x: Value, *arguments: Any) -> Tensor:
    # scanlet::selective_ssm(Tensor x, Tensor in_proj_weight, Tensor? in_proj_bias,
    #   Tensor conv_weight, Tensor? conv_bias, Tensor x_proj_weight, Tensor dt_proj_weight,
    #   Tensor dt_proj_bias, Tensor A_log, Tensor D, Tensor out_proj_weight,
    #   Tensor? out_proj_bias, Tensor? dt_norm_weight, Tensor? b_norm_weight,
    #   Tensor? c_norm_weight, float? inner_norm_eps) -> Tensor
    *weights, inner_norm_eps = arguments
    given = {k: w for k, w in zip(ARGUMENTS, weights, strict=True) if w is not None}
    a_path = context.path_of(given["A_log"]) or f"{context.name}.A_log"
    a_log = context.fixed(given.pop("A_log"), "A_log")
    conv = given.pop("conv_weight")
    conv_weight = context.fixed(conv, "the convolution's weight")[:, 0, :]
    named = {name: context.tensor(value) for name, value in given.items()}
    named["conv_weight"] = context.named(
        context.path_of(conv) or f"{context.name}.conv_weight", conv_weight
    )
    named["A"] = context.named(a_path.removesuffix("_log"), -np.exp(a_log))
    order = tuple(name for name in WEIGHT_ORDER if name in named)
    op = SelectiveSSM(
        weights=order,
        d_inner=a_log.shape[0],
        d_state=a_log.shape[1],
        dt_rank=named["dt_proj_weight"].shape[1],
        d_conv=conv_weight.shape[1],
        inner_norm=None if inner_norm_eps is None else "rms",
        inner_norm_eps=inner_norm_eps or 0.0,
    )
    return context.emit(op, context.activation(x), *[named[name] for name in order])


@lowers("scanlet.nothing_masked.default")
def nothing_masked(context: Context, x: Value, mask: Value) -> Value:
    # scanlet::nothing_masked(Tensor x, Tensor mask) -> Tensor
    if not isinstance(mask, torch.Tensor):
        raise context.refusal(
            "the mixer is called with a mask or another tensor that depends on the inputs",
            hint="leave attention_mask out: there is no padding in a batch of one",
        )
    if not bool((mask == 1).all()):
        raise context.refusal(
            "the mixer is called with a mask that is not all ones, or with another tensor",
            hint="call it as mixer(x); steps that are masked away have to be cut off before",
        )
    return x
