"""A trainable diagonal time-invariant state-space model in plain PyTorch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from scanlet.nn.diagonal_functional import diagonal_convolution


class DiagonalSSM(nn.Module):
    """The S4D layer of Gu et al. 2022 (arXiv:2206.11893) without what surrounds it there: a
    state-space model for each channel, (B, L, d_model) to the same. Trained as a convolution.

    Parameter names, shapes and initialisation (S4D-Lin; S4D-Real for real states) are those of the
    state-spaces repository's kernel: log_dt (d_model,), log_A_real and A_imag (d_model, N),
    C (d_model, N, 2), and D (d_model,), N being d_state / 2 conjugate pairs. With real states there
    is no A_imag, and C is (d_model, d_state).

    Args:
        d_model: channels.
        d_state: states a channel; even for complex ones.
        complex: whether states are complex, in conjugate pairs.
        dt_min, dt_max: the step sizes exp(log_dt) are log-uniform in this range.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        complex: bool = True,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
    ) -> None:
        super().__init__()
        if complex and d_state % 2:
            raise ValueError(f"d_state {d_state} is odd; complex states come in conjugate pairs")
        self.d_model = d_model
        self.d_state = d_state
        states = d_state // 2 if complex else d_state
        span = math.log(dt_max) - math.log(dt_min)
        self.log_dt = nn.Parameter(torch.rand(d_model) * span + math.log(dt_min))
        number = torch.arange(states, dtype=torch.float32).repeat(d_model, 1)
        real = torch.full_like(number, 0.5) if complex else number + 1
        self.log_A_real = nn.Parameter(real.log())
        self.A_imag: nn.Parameter | None = nn.Parameter(math.pi * number) if complex else None
        c = torch.randn(d_model, states, 2) * math.sqrt(0.5)
        self.C = nn.Parameter(c if complex else torch.randn(d_model, states))
        self.D = nn.Parameter(torch.randn(d_model))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, L, d_model) -> (B, L, d_model)."""
        return diagonal_convolution(x, self.log_dt, self.log_A_real, self.A_imag, self.C, self.D)

    def extra_repr(self) -> str:
        kind = "real" if self.A_imag is None else "complex"
        return f"d_model={self.d_model}, d_state={self.d_state}, {kind}"
