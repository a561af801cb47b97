"""Mamba-2 written a second time, after mamba_ssm's modules and mathematics: what its module holds,
computed as the paper's matrix transformation (Dao and Gu 2024, definition 3.2 and equation 6),
without a recurrence.

`triton_stubs` lets packages be imported that import mamba_ssm's Triton functions.
"""

from __future__ import annotations

import math
import sys
import types
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


def matrix_form(
    x: Tensor,
    dt: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor,
) -> Tensor:
    """y = M x a head: M[t, s] = C[t] B[s] exp(sum of dt A over s+1..t) dt[s] for s <= t.

    x (B, L, H, P), dt (B, L, H), a (H,), b and c (B, L, G, N), d (H,) or (H, P).
    """
    each = x.shape[2] // b.shape[2]
    b, c = b.repeat_interleave(each, 2), c.repeat_interleave(each, 2)
    total = torch.cumsum((dt * a).double(), dim=1)  # (B, L, H)
    decay = torch.exp(total[:, :, None] - total[:, None]).permute(0, 3, 1, 2)  # (B, H, t, s)
    scores = torch.einsum("bthn,bshn->bhts", c.double(), b.double())
    mixing = torch.tril(scores * decay) * dt.double().permute(0, 2, 1)[:, :, None]
    y = torch.einsum("bhts,bshp->bthp", mixing, x.double()).to(x.dtype)
    return y + (d[:, None] if d.ndim == 1 else d) * x


class GatedNorm(nn.Module):
    """The attributes that mamba_ssm's RMSNormGated has."""

    def __init__(
        self,
        hidden_size: int,
        eps: float = 1e-5,
        group_size: int | None = None,
        norm_before_gate: bool = True,
        **_: Any,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden_size))
        self.eps, self.group_size, self.norm_before_gate = eps, group_size, norm_before_gate

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return gated(x, z, self.weight, self.eps, self.group_size, self.norm_before_gate)


def gated(
    x: Tensor, z: Tensor, weight: Tensor, eps: float, group_size: int | None, before: bool
) -> Tensor:
    if not before:
        x = x * F.silu(z)
    parts = x.reshape(*x.shape[:-1], -1, group_size or x.shape[-1])
    x = (parts / torch.sqrt((parts**2).mean(-1, keepdim=True) + eps)).reshape(x.shape) * weight
    return x * F.silu(z) if before else x


class MambaSsm2(nn.Module):
    """mamba_ssm's Mamba2: its constructor's names, its attributes, its parameters."""

    def __init__(
        self,
        d_model: int,
        d_state: int = 8,
        d_conv: int = 4,
        expand: int = 2,
        headdim: int = 8,
        ngroups: int = 1,
        D_has_hdim: bool = False,  # noqa: N803
        rmsnorm: bool = True,
        norm_before_gate: bool = False,
        dt_limit: tuple[float, float] = (0.0, math.inf),
        bias: bool = False,
        conv_bias: bool = True,
    ) -> None:
        super().__init__()
        self.d_inner = self.d_ssm = expand * d_model
        self.headdim, self.ngroups, self.d_state = headdim, ngroups, d_state
        self.nheads = self.d_inner // headdim
        self.D_has_hdim, self.rmsnorm = D_has_hdim, rmsnorm
        self.norm_before_gate, self.dt_limit = norm_before_gate, dt_limit
        conv = self.d_inner + 2 * ngroups * d_state
        self.in_proj = nn.Linear(d_model, self.d_inner + conv + self.nheads, bias=bias)
        self.conv1d = nn.Conv1d(conv, conv, d_conv, groups=conv, padding=d_conv - 1, bias=conv_bias)
        self.dt_bias = nn.Parameter(torch.randn(self.nheads))
        self.A_log = nn.Parameter(torch.randn(self.nheads))
        self.D = nn.Parameter(torch.randn(self.d_inner if D_has_hdim else self.nheads))
        if rmsnorm:
            size = self.d_ssm // ngroups
            self.norm = GatedNorm(self.d_ssm, 1e-5, size, norm_before_gate)
            nn.init.normal_(self.norm.weight, 1.0, 0.3)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias)

    def forward(
        self, u: Tensor, seq_idx: Tensor | None = None, inference_params: Any = None
    ) -> Tensor:
        assert seq_idx is None
        assert inference_params is None
        z, xbc, dt = torch.split(
            self.in_proj(u), [self.d_inner, self.conv1d.in_channels, self.nheads], dim=-1
        )
        dt = torch.clamp(F.softplus(dt + self.dt_bias), *self.dt_limit)
        xbc = F.silu(self.conv1d(xbc.transpose(1, 2))[..., : u.shape[1]].transpose(1, 2))
        states = self.ngroups * self.d_state
        x, b, c = torch.split(xbc, [self.d_inner, states, states], dim=-1)
        y = matrix_form(
            x.unflatten(-1, (self.nheads, self.headdim)),
            dt,
            -torch.exp(self.A_log),
            b.unflatten(-1, (self.ngroups, -1)),
            c.unflatten(-1, (self.ngroups, -1)),
            self.D.view(self.nheads, -1) if self.D_has_hdim else self.D,
        ).flatten(-2)
        y = self.norm(y, z) if self.rmsnorm else y * F.silu(z)
        return self.out_proj(y)


def chunk_scan(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, **options: Any) -> Tensor:  # noqa: N803
    """mamba_chunk_scan_combined for what mambapy gives it."""
    dt = torch.clamp(dt, *options.get("dt_limit", (0.0, math.inf)))
    return matrix_form(x, dt, A, B, C, options["D"])


def split_conv_scan(
    zxbcdt: Tensor,
    conv_weight: Tensor,
    conv_bias: Tensor,
    dt_bias: Tensor,
    A: Tensor,  # noqa: N803
    **options: Any,
) -> Tensor:
    """mamba_split_conv1d_scan_combined for what mambapy gives it; the kernel norms in groups."""
    heads, channels, groups = dt_bias.shape[0], conv_weight.shape[0], options["ngroups"]
    inner = zxbcdt.shape[-1] - channels - heads
    z, xbc, dt = torch.split(zxbcdt, [inner, channels, heads], dim=-1)
    xbc = causal_conv(xbc.transpose(1, 2), conv_weight, conv_bias, "silu").transpose(1, 2)
    states = (channels - inner) // 2
    x, b, c = torch.split(xbc, [inner, states, states], dim=-1)
    y = chunk_scan(
        x.unflatten(-1, (heads, -1)),
        F.softplus(dt + dt_bias),
        A,
        b.unflatten(-1, (groups, -1)),
        c.unflatten(-1, (groups, -1)),
        **options,
    ).flatten(-2)
    weight, eps = options["rmsnorm_weight"], options["rmsnorm_eps"]
    y = gated(y, z, weight, eps, inner // groups, options["norm_before_gate"])
    return F.linear(y, options["outproj_weight"], options["outproj_bias"])


def causal_conv(x: Tensor, weight: Tensor, bias: Tensor, activation: str) -> Tensor:
    """causal_conv1d_fn: x (B, channels, L), weight (channels, taps)."""
    assert activation in ("silu", "swish")
    padded = F.pad(x, (weight.shape[1] - 1, 0))
    return F.silu(F.conv1d(padded, weight[:, None], bias, groups=weight.shape[0]))


def triton_stubs() -> dict[str, types.ModuleType]:
    """Modules by name that stand for mamba_ssm's Triton functions, for `sys.modules`."""
    names = ["mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.triton"]
    made = {name: types.ModuleType(name) for name in names}
    norms = types.ModuleType("mamba_ssm.ops.triton.layernorm_gated")
    norms.RMSNorm, norms.LayerNorm = GatedNorm, nn.LayerNorm  # type: ignore[attr-defined]
    scans = types.ModuleType("mamba_ssm.ops.triton.ssd_combined")
    scans.mamba_chunk_scan_combined = chunk_scan  # type: ignore[attr-defined]
    scans.mamba_split_conv1d_scan_combined = split_conv_scan  # type: ignore[attr-defined]
    convolution = types.ModuleType("causal_conv1d")
    convolution.causal_conv1d_fn = causal_conv  # type: ignore[attr-defined]
    return made | {convolution.__name__: convolution, norms.__name__: norms, scans.__name__: scans}


def mambapy_mamba2(monkeypatch: Any) -> types.ModuleType:
    """mambapy.mamba2, which imports mamba_ssm's Triton functions, on the stubs."""
    import importlib

    for name, module in triton_stubs().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "mambapy.mamba2", raising=False)
    return importlib.import_module("mambapy.mamba2")
