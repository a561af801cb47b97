"""The opaque operator that stands for a diagonal state-space model while the rest is captured."""

from __future__ import annotations

import torch
from torch import Tensor

from scanlet.nn.diagonal_functional import diagonal_scan

#: The arguments of `diagonal_scan` after x, in order.
DIAGONAL_ARGUMENTS = ("log_dt", "log_A_real", "A_imag", "C", "D")


@torch.library.custom_op("scanlet::diagonal_ssm", mutates_args=())
def diagonal_ssm(
    x: Tensor,
    log_dt: Tensor,
    log_A_real: Tensor,  # noqa: N803
    A_imag: Tensor | None,  # noqa: N803
    C: Tensor,  # noqa: N803
    D: Tensor,  # noqa: N803
) -> Tensor:
    """`scanlet.nn.diagonal_scan` as one node: x (B, L, channels) -> the same."""
    return diagonal_scan(x, log_dt, log_A_real, A_imag, C, D).contiguous()


@diagonal_ssm.register_fake
def _(x: Tensor, *weights: Tensor | None) -> Tensor:
    del weights
    return torch.empty_like(x)
