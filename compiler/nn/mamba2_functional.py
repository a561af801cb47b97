"""The Mamba-2 mixer as functions of its parameters: the canonical form of every dialect.

Dao and Gu 2024, "Transformers are SSMs" (arXiv:2405.21060), section 7 and figure 6. The recurrence
is exact, step by step; the paper's chunked algorithm (section 6) computes the same numbers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def ssd_scan(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:  # noqa: N803
    """h[t] = exp(dt[t] A) h[t-1] + dt[t] B[t] x[t]; y[t] = C[t] h[t] + D x[t]; h[-1] = 0.

    x, y: (batch, L, heads, head_dim); dt: (batch, L, heads); A: (heads,); B, C:
    (batch, L, groups, d_state), each group for heads / groups heads; D: (heads,) or
    (heads, head_dim). Differentiable; takes memory for L states, as training needs them anyway.
    """
    heads = x.shape[2]
    b, c = (rows.repeat_interleave(heads // rows.shape[2], dim=2) for rows in (B, C))
    # Time leads, and is unbound rather than indexed: the gradient of an index is a tensor as long
    # as the sequence, for every step.
    decay = torch.exp(dt * A).transpose(0, 1)[..., None, None]
    drive = (dt.unsqueeze(-1) * x).unsqueeze(-1) * b.unsqueeze(3)
    drive = drive.transpose(0, 1)
    h = torch.zeros_like(drive[0])
    states = []
    for decay_t, drive_t in zip(decay.unbind(0), drive.unbind(0), strict=True):
        h = torch.addcmul(drive_t, decay_t, h)
        states.append(h)
    y = torch.matmul(torch.stack(states, dim=1), c.unsqueeze(-1)).squeeze(-1)
    return y + (D.unsqueeze(-1) if D.ndim == 1 else D) * x


def gated_norm(
    y: Tensor, z: Tensor, weight: Tensor | None, eps: float, groups: int, before_gate: bool
) -> Tensor:
    """RMS norm over `groups` runs of the last axis, times weight; of y silu(z), or of y and then
    the gate with `before_gate`. Without a group: y silu(z)."""
    if not groups:
        return y * F.silu(z)
    gated = y if before_gate else y * F.silu(z)
    grouped = gated.unflatten(-1, (groups, -1))
    normed = F.rms_norm(grouped, grouped.shape[-1:], None, eps).flatten(-2)
    if weight is not None:
        normed = normed * weight
    return normed * F.silu(z) if before_gate else normed


def mamba2_mixer(
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
    groups: int = 1,
    norm_groups: int = 1,
    norm_before_gate: bool = False,
    norm_eps: float = 1e-5,
    dt_min: float = 0.0,
    dt_max: float | None = None,
) -> Tensor:
    """A whole mixer; x (batch, L, d_model) gives (batch, L, d_out).

    in_proj_weight (2 d_inner + 2 groups d_state + heads, d_model), rows [z; x; B; C; dt];
    conv_weight (d_inner + 2 groups d_state, 1, d_conv), causal, over [x; B; C]; dt_bias, A_log
    (heads,), A = -exp(A_log); D (heads,), or (d_inner,) for one a channel; norm_weight (d_inner,);
    out_proj_weight (d_out, d_inner). Step sizes softplus(dt + dt_bias) are kept within dt_min and
    dt_max (None: no limit). See `gated_norm` for the norm.
    """
    heads, d_inner = A_log.shape[0], out_proj_weight.shape[1]
    channels, length, d_conv = conv_weight.shape[0], x.shape[1], conv_weight.shape[-1]
    states = (channels - d_inner) // 2
    z, xbc, dt = F.linear(x, in_proj_weight, in_proj_bias).split([d_inner, channels, heads], dim=-1)
    xbc = F.conv1d(xbc.transpose(1, 2), conv_weight, conv_bias, padding=d_conv - 1, groups=channels)
    xbc = F.silu(xbc[..., :length].transpose(1, 2))
    u, b, c = xbc.split([d_inner, states, states], dim=-1)
    dt = F.softplus(dt + dt_bias).clamp(dt_min, dt_max)
    skip = D if D.shape[0] == heads else D.view(heads, -1)
    y = ssd_scan(
        u.unflatten(-1, (heads, -1)),
        dt,
        -torch.exp(A_log),
        b.unflatten(-1, (groups, -1)),
        c.unflatten(-1, (groups, -1)),
        skip,
    ).flatten(-2)
    y = gated_norm(y, z, norm_weight, norm_eps, norm_groups, norm_before_gate)
    return F.linear(y, out_proj_weight, out_proj_bias)
