"""A factory that the command-line tests name as package.module:factory."""

from __future__ import annotations

import torch
from torch import nn

from scanlet.nn import MambaMixer


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mixer = MambaMixer(4, d_state=2)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(x).mean(1))


def create() -> nn.Module:
    torch.manual_seed(0)
    return Net()


def create_string() -> str:
    return "not a module"
