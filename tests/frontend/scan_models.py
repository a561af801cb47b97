"""Selective scans that are no whole mixer, written as loops."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

WIDTH, STATES = 6, 3


class S6(nn.Module):
    """The scan with its projections, u straight from the input: all of it inside the loop."""

    def __init__(self, biased: bool = True) -> None:
        super().__init__()
        self.step_size = nn.Linear(WIDTH, WIDTH)
        self.enter = nn.Linear(WIDTH, STATES, bias=biased)
        self.leave = nn.Linear(WIDTH, STATES, bias=biased)
        self.rates = nn.Parameter(torch.log(torch.rand(WIDTH, STATES) + 0.5))
        self.skip = nn.Parameter(torch.randn(WIDTH))

    def order(self, steps: int) -> range:
        return range(steps)

    def forward(self, x: Tensor) -> Tensor:
        a = -torch.exp(self.rates)
        h, out = x.new_zeros(x.shape[0], WIDTH, STATES), []
        for t in self.order(x.shape[1]):
            u = x[:, t]
            delta = F.softplus(self.step_size(u))
            entering = (delta * u)[..., None] * self.enter(u)[:, None]
            h = torch.exp(delta[..., None] * a) * h + entering
            out.append((h * self.leave(u)[:, None]).sum(-1) + self.skip * u)
        return torch.stack(out, 1)


class WholeStreams(S6):
    """Streams for all steps at once; dt comes from another value than u."""

    def forward(self, x: Tensor) -> Tensor:
        a = -torch.exp(self.rates)
        u = torch.tanh(x)
        delta, b, c = F.softplus(self.step_size(x)), self.enter(u), self.leave(x)
        h, out = x.new_zeros(x.shape[0], WIDTH, STATES), []
        for t in self.order(x.shape[1]):
            entering = (delta[:, t] * u[:, t])[..., None] * b[:, t, None]
            h = torch.exp(delta[:, t, :, None] * a) * h + entering
            out.append((h @ c[:, t].unsqueeze(-1)).squeeze(-1))
        return torch.stack(out, 1) + self.skip * u


class Backwards(S6):
    """From the last step to the first, results in order of time."""

    def order(self, steps: int) -> range:
        return range(steps - 1, -1, -1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).flip(1)


class Gated(S6):
    """With a gate and a projection behind."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, WIDTH)
        self.project = nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(super().forward(x) * F.silu(self.gate(x)))
