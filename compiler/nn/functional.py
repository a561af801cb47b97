"""The Mamba-1 mixer as functions of its parameters: the canonical form of every dialect.

Gu and Dao 2023, "Mamba: linear-time sequence modeling with selective state spaces"
(arXiv:2312.00752), section 3.2, algorithm 2, and figure 3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:  # noqa: N803
    """h[t] = exp(delta[t] A) h[t-1] + delta[t] B[t] u[t]; y[t] = C[t] h[t] + D u[t]; h[-1] = 0.

    u, delta, y: (batch, L, d_inner); A: (d_inner, d_state); B, C: (batch, L, d_state);
    D: (d_inner,). Differentiable; takes memory for L states, as training needs them anyway.
    """
    # Time leads, and is unbound rather than indexed: the gradient of an index is a tensor as long
    # as the sequence, for every step.
    delta_t, u_t = delta.transpose(0, 1), u.transpose(0, 1)
    decay = torch.exp(delta_t.unsqueeze(-1) * A)
    drive = (delta_t * u_t).unsqueeze(-1) * B.transpose(0, 1).unsqueeze(2)
    h = torch.zeros_like(drive[0])
    states = []
    for decay_t, drive_t in zip(decay.unbind(0), drive.unbind(0), strict=True):
        h = torch.addcmul(drive_t, decay_t, h)
        states.append(h)
    y = torch.matmul(torch.stack(states, dim=1), C.unsqueeze(-1)).squeeze(-1)
    return y + D * u


def mamba_mixer(
    x: Tensor,
    in_proj_weight: Tensor,
    in_proj_bias: Tensor | None,
    conv_weight: Tensor,
    conv_bias: Tensor | None,
    x_proj_weight: Tensor,
    dt_proj_weight: Tensor,
    dt_proj_bias: Tensor,
    A_log: Tensor,  # noqa: N803
    D: Tensor,  # noqa: N803
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    dt_norm_weight: Tensor | None = None,
    b_norm_weight: Tensor | None = None,
    c_norm_weight: Tensor | None = None,
    inner_norm_eps: float | None = None,
) -> Tensor:
    """A whole mixer; x (batch, L, d_model) gives (batch, L, d_out).

    in_proj_weight (2 d_inner, d_model), rows [x; z]; conv_weight (d_inner, 1, d_conv), causal;
    x_proj_weight (dt_rank + 2 d_state, d_inner), rows [dt; B; C]; dt_proj_weight
    (d_inner, dt_rank); dt_proj_bias (d_inner,); A_log (d_inner, d_state), A = -exp(A_log);
    D (d_inner,); out_proj_weight (d_out, d_inner). With `inner_norm_eps` dt, B and C are each
    normalized by their root mean square (Lieber et al. 2024, "Jamba", arXiv:2403.19887), with
    weights (dt_rank,), (d_state,), (d_state,) or none.
    """
    d_inner, d_state = A_log.shape
    length, d_conv = x.shape[1], conv_weight.shape[-1]
    u, z = F.linear(x, in_proj_weight, in_proj_bias).chunk(2, dim=-1)
    u = F.conv1d(u.transpose(1, 2), conv_weight, conv_bias, padding=d_conv - 1, groups=d_inner)[
        ..., :length
    ].transpose(1, 2)
    u = F.silu(u)
    dt, b, c = F.linear(u, x_proj_weight).split([dt_proj_weight.shape[1], d_state, d_state], dim=-1)
    if inner_norm_eps is not None:
        dt = F.rms_norm(dt, dt.shape[-1:], dt_norm_weight, inner_norm_eps)
        b = F.rms_norm(b, b.shape[-1:], b_norm_weight, inner_norm_eps)
        c = F.rms_norm(c, c.shape[-1:], c_norm_weight, inner_norm_eps)
    delta = F.softplus(F.linear(dt, dt_proj_weight, dt_proj_bias))
    y = selective_scan(u, delta, -torch.exp(A_log), b, c, D)
    return F.linear(y * F.silu(z), out_proj_weight, out_proj_bias)
