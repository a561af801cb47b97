"""S4D of the state-spaces repository (Gu et al. 2022, arXiv:2206.11893), which is no package.

Names of parameters and what is returned are its own; the kernel is the paper's formula.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class S4DKernel(nn.Module):
    """The kernel of the state-spaces repository's S4D: its parameters and its formula."""

    def __init__(self, channels: int, states: int) -> None:
        super().__init__()
        self.C = nn.Parameter(torch.randn(channels, states // 2, 2))
        self.register_buffer("log_dt", torch.rand(channels) * math.log(100) + math.log(0.001))
        self.log_A_real = nn.Parameter(torch.full((channels, states // 2), math.log(0.5)))
        self.A_imag = nn.Parameter(math.pi * torch.arange(states // 2).repeat(channels, 1).float())

    def forward(self, length: int) -> Tensor:
        dt = torch.exp(self.log_dt)
        a = torch.complex(-torch.exp(self.log_A_real), self.A_imag)
        step = a * dt[:, None]
        c = torch.view_as_complex(self.C) * (torch.exp(step) - 1.0) / a
        powers = torch.exp(step[..., None] * torch.arange(length))
        return 2 * torch.einsum("hn,hnl->hl", c, powers).real


class S4D(nn.Module):
    """The repository's S4D layer; `scale` makes it another function."""

    def __init__(
        self, channels: int, states: int = 16, transposed: bool = True, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.transposed, self.scale = transposed, scale
        self.D = nn.Parameter(torch.randn(channels))
        self.kernel = S4DKernel(channels, states)
        self.activation = nn.GELU()
        self.dropout = nn.Identity()
        self.output_linear = nn.Sequential(nn.Conv1d(channels, 2 * channels, 1), nn.GLU(dim=-2))

    def forward(self, u: Tensor) -> tuple[Tensor, None]:
        u = u if self.transposed else u.transpose(-1, -2)
        length = u.shape[-1]
        spectrum = torch.fft.rfft(u, n=2 * length)
        kernel = torch.fft.rfft(self.scale * self.kernel(length), n=2 * length)
        y = torch.fft.irfft(spectrum * kernel, n=2 * length)[..., :length]
        y = self.dropout(self.activation(y + u * self.D[:, None]))
        y = self.output_linear(y)
        return (y if self.transposed else y.transpose(-1, -2)), None


class S4DClassifier(nn.Module):
    """Linear, S4D layers with residuals and norms, mean, Linear: the repository's example."""

    def __init__(self, features: int, channels: int, **options: bool | float) -> None:
        super().__init__()
        self.encoder = nn.Linear(features, channels)
        self.layers = nn.ModuleList(S4D(channels, **options) for _ in range(2))  # type: ignore[arg-type]
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.decoder = nn.Linear(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(x)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            y = x.transpose(1, 2) if layer.transposed else x
            y, _ = layer(y)
            x = norm(x + (y.transpose(1, 2) if layer.transposed else y))
        return self.decoder(x.mean(1))
