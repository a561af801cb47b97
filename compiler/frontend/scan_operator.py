"""The opaque operator that stands for a selective scan without a mixer during capture."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.library.custom_op("scanlet::selective_scan", mutates_args=())
def selective_scan(
    x: Tensor,
    A: Tensor,  # noqa: N803
    D: Tensor,  # noqa: N803
) -> Tensor:
    """`SelectiveScan` as one node: the streams u, delta, B and C, (B, L, 2 d_inner + 2 d_state),
    to y (B, L, d_inner). A: (d_inner, d_state), D: (d_inner,)."""
    d_inner, d_state = A.shape
    u, delta, b, c = x.split([d_inner, d_inner, d_state, d_state], dim=-1)
    h = x.new_zeros(x.shape[0], d_inner, d_state)
    y = torch.empty_like(u)
    for t in range(x.shape[1]):
        entering = (delta[:, t] * u[:, t]).unsqueeze(-1) * b[:, t].unsqueeze(1)
        h = torch.exp(delta[:, t].unsqueeze(-1) * A) * h + entering
        y[:, t] = (h * c[:, t].unsqueeze(1)).sum(-1) + D * u[:, t]
    return y.contiguous()


@selective_scan.register_fake
def _(x: Tensor, A: Tensor, D: Tensor) -> Tensor:  # noqa: N803
    del D
    return x.new_empty((x.shape[0], x.shape[1], A.shape[0]))
