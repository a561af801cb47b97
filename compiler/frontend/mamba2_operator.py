"""The opaque operator that stands for a Mamba-2 mixer while torch.export captures the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scanlet.nn.mamba2_functional import mamba2_mixer

#: The arguments of `mamba2_mixer` after x that are tensors, in order.
MAMBA2_ARGUMENTS = (
    "in_proj_weight",
    "in_proj_bias",
    "conv_weight",
    "conv_bias",
    "dt_bias",
    "A_log",
    "D",
    "norm_weight",
    "out_proj_weight",
    "out_proj_bias",
)


@torch.library.custom_op("scanlet::mamba2", mutates_args=())
def mamba2(
    x: Tensor,
    in_proj_weight: Tensor,
    in_proj_bias: Tensor | None,
    conv_weight: Tensor,
    conv_bias: Tensor | None,
    dt_bias: Tensor,
    A_log: Tensor,  # noqa: N803
    D: Tensor,  # noqa: N803
    norm_weight: Tensor | None,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    groups: int,
    norm_groups: int,
    norm_before_gate: bool,
    norm_eps: float,
    dt_min: float,
    dt_max: float | None,
) -> Tensor:
    """`scanlet.nn.mamba2_mixer` as one node: x (B, L, d_model) -> (B, L, d_out)."""
    return mamba2_mixer(
        x,
        in_proj_weight,
        in_proj_bias,
        conv_weight,
        conv_bias,
        dt_bias,
        A_log,
        D,
        norm_weight,
        out_proj_weight,
        out_proj_bias,
        groups,
        norm_groups,
        norm_before_gate,
        norm_eps,
        dt_min,
        dt_max,
    ).contiguous()


@mamba2.register_fake
def _(x: Tensor, *others: Any) -> Tensor:
    out_proj_weight = others[MAMBA2_ARGUMENTS.index("out_proj_weight")]
    return x.new_empty((x.shape[0], x.shape[1], out_proj_weight.shape[0]))
