"""Mixers and models of projects that are no packages, or need CUDA, from their mathematics.

mamba_ssm cannot be imported without CUDA, mamba-minimal and Vision Mamba cannot be installed. The
names of parameters and arguments and what is returned are theirs; how it is computed follows their
papers.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from einops import einsum, rearrange, repeat
from torch import Tensor, nn


class Parameters(nn.Module):
    """What all of them hold."""

    def __init__(self, d_model: int, d_state: int = 4, bias: bool = False) -> None:
        super().__init__()
        self.d_inner, self.d_state, self.dt_rank = 2 * d_model, d_state, math.ceil(d_model / 4)
        self.in_proj = nn.Linear(d_model, 2 * self.d_inner, bias=bias)
        self.conv1d = self._convolution()
        self.x_proj = nn.Linear(self.d_inner, self.dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, self.d_inner)
        rates = repeat(torch.arange(1.0, d_state + 1), "n -> e n", e=self.d_inner)
        self.A_log = nn.Parameter(torch.log(rates))
        self.D = nn.Parameter(torch.ones(self.d_inner))
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias)

    def _convolution(self) -> nn.Conv1d:
        return nn.Conv1d(self.d_inner, self.d_inner, 4, groups=self.d_inner, padding=3)


def scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:  # noqa: N803
    """The recurrence (Gu and Dao 2023, algorithm 2); u, delta (b, e, l), B, C (b, n, l)."""
    state = torch.zeros(u.shape[0], *A.shape, dtype=u.dtype)
    out = []
    for t in range(u.shape[2]):
        decay = torch.exp(einsum(delta[..., t], A, "b e, e n -> b e n"))
        state = decay * state + einsum(
            delta[..., t], B[..., t], u[..., t], "b e, b n, b e -> b e n"
        )
        out.append(einsum(state, C[..., t], "b e n, b n -> b e"))
    return torch.stack(out, dim=2) + u * rearrange(D, "e -> e 1")


class MambaSsm(Parameters):
    """`mamba_ssm.Mamba`, the path without fused kernels: weights are used without the submodules'
    forward, as there."""

    def forward(self, hidden_states: Tensor, inference_params: Any = None) -> Tensor:
        assert inference_params is None
        length = hidden_states.shape[1]
        flat = rearrange(hidden_states, "b l d -> d (b l)")
        xz = rearrange(self.in_proj.weight @ flat, "f (b l) -> b f l", l=length)
        if self.in_proj.bias is not None:
            xz = xz + rearrange(self.in_proj.bias, "f -> f 1")
        x, z = xz.chunk(2, dim=1)
        return F.linear(
            rearrange(self.scanned(x, z), "b e l -> b l e"),
            self.out_proj.weight,
            self.out_proj.bias,
        )

    def scanned(self, x: Tensor, z: Tensor, of: str = "") -> Tensor:
        """From in_proj's halves to out_proj's input, by the parameters with the suffix `of`."""
        conv, x_proj, dt_proj = (
            self.get_submodule(f"{name}{of}") for name in ("conv1d", "x_proj", "dt_proj")
        )
        log, skip = (getattr(self, name) for name in (f"A{of}_log", f"D{of}"))
        length = x.shape[2]
        u = F.silu(conv(x)[..., :length])
        dbc = F.linear(rearrange(u, "b e l -> (b l) e"), x_proj.weight)
        dt, B, C = dbc.split([self.dt_rank, self.d_state, self.d_state], dim=-1)  # noqa: N806
        dt = rearrange(dt_proj.weight @ dt.t(), "e (b l) -> b e l", l=length)
        delta = F.softplus(dt + rearrange(dt_proj.bias, "e -> e 1"))
        B, C = (rearrange(m, "(b l) n -> b n l", l=length) for m in (B, C))  # noqa: N806
        return scan(u, delta, -torch.exp(log.float()), B, C, skip.float()) * F.silu(z)


class SsmBlock(nn.Module):
    """`mamba_ssm`'s `Block`: add, norm, mixer; the residual stream travels beside."""

    def __init__(self, d_model: int, mixer: nn.Module, fused: bool = False) -> None:
        super().__init__()
        self.mixer, self.norm = mixer, nn.RMSNorm(d_model, eps=1e-5)
        self.residual_in_fp32, self.fused_add_norm = True, fused

    def forward(
        self, hidden_states: Tensor, residual: Tensor | None = None, inference_params: Any = None
    ) -> tuple[Tensor, Tensor]:
        residual = hidden_states if residual is None else hidden_states + residual
        if self.fused_add_norm:  # one kernel there: the same function of residual and weight
            mean_square = residual.float().pow(2).mean(-1, keepdim=True)
            normed = residual * torch.rsqrt(mean_square + self.norm.eps) * self.norm.weight
        else:
            normed = self.norm(residual.to(dtype=self.norm.weight.dtype))
        if self.residual_in_fp32:
            residual = residual.to(torch.float32)
        return self.mixer(normed, inference_params=inference_params), residual


class SsmModel(nn.Module):
    """`MambaLMHeadModel` without its layers of indirection: tokens to logits, tied weights."""

    def __init__(self, d_model: int, tokens: int, layers: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, d_model)
        self.layers = nn.ModuleList(
            SsmBlock(d_model, MambaSsm(d_model), fused=bool(i % 2)) for i in range(layers)
        )
        self.norm_f = nn.RMSNorm(d_model, eps=1e-5)
        self.lm_head = nn.Linear(d_model, tokens, bias=False)
        self.lm_head.weight = self.embedding.weight

    def forward(self, input_ids: Tensor, inference_params: Any = None) -> Tensor:
        hidden, residual = self.embedding(input_ids), None
        for layer in self.layers:
            hidden, residual = layer(hidden, residual, inference_params=inference_params)
        return self.lm_head(self.norm_f((hidden + residual).to(self.norm_f.weight.dtype)))


class VisionMamba(MambaSsm):
    """Vision Mamba's mixer (Zhu et al. 2024, algorithm 1), `bimamba_type="v2"`."""

    def __init__(self, d_model: int, if_divide_out: bool = False, **options: Any) -> None:
        super().__init__(d_model, **options)
        self.if_divide_out = if_divide_out
        self.conv1d_b = self._convolution()
        self.x_proj_b = nn.Linear(self.d_inner, self.dt_rank + 2 * self.d_state, bias=False)
        self.dt_proj_b = nn.Linear(self.dt_rank, self.d_inner)
        self.A_b_log = nn.Parameter(self.A_log.detach().clone())
        self.D_b = nn.Parameter(torch.ones(self.d_inner))

    def forward(self, hidden_states: Tensor, inference_params: Any = None) -> Tensor:
        assert inference_params is None
        x, z = rearrange(self.in_proj(hidden_states), "b l f -> b f l").chunk(2, dim=1)
        ahead = self.scanned(x, z)
        back = self.scanned(x.flip(-1), z.flip(-1), of="_b").flip(-1)
        both = rearrange(ahead + back, "b e l -> b l e")
        return self.out_proj(both / 2 if self.if_divide_out else both)


class MambaMinimal(Parameters):
    """mamba-minimal's `MambaBlock`: discretized for the whole sequence, then one einsum a step."""

    def forward(self, x: Tensor) -> Tensor:
        x, z = self.in_proj(x).split([self.d_inner, self.d_inner], dim=-1)
        x = rearrange(x, "b l e -> b e l")
        x = F.silu(rearrange(self.conv1d(x)[:, :, : x.shape[2]], "b e l -> b l e"))
        delta, B, C = self.x_proj(x).split([self.dt_rank, self.d_state, self.d_state], -1)  # noqa: N806
        delta = F.softplus(self.dt_proj(delta))
        decay = torch.exp(einsum(delta, -torch.exp(self.A_log.float()), "b l e, e n -> b l e n"))
        drive = einsum(delta, B, x, "b l e, b l n, b l e -> b l e n")
        state = torch.zeros_like(drive[:, 0])
        ys = []
        for t in range(x.shape[1]):
            state = decay[:, t] * state + drive[:, t]
            ys.append(einsum(state, C[:, t], "b e n, b n -> b e"))
        return self.out_proj((torch.stack(ys, dim=1) + x * self.D) * F.silu(z))


class MinimalBlock(nn.Module):
    """`ResidualBlock`: mixer(norm(x)) + x, with a norm written out."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.mixer, self.norm = MambaMinimal(d_model), MinimalNorm(d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.mixer(self.norm(x)) + x


class MinimalNorm(nn.Module):
    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


class MinimalModel(nn.Module):
    """`Mamba`: embedding, layers, norm_f, tied lm_head."""

    def __init__(self, d_model: int, tokens: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, d_model)
        self.layers = nn.ModuleList(MinimalBlock(d_model) for _ in range(2))
        self.norm_f = MinimalNorm(d_model)
        self.lm_head = nn.Linear(d_model, tokens, bias=False)
        self.lm_head.weight = self.embedding.weight

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.embedding(input_ids)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm_f(x))
