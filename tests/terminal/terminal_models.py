"""Factories that the terminal's tests name as package.module:factory."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from scanlet import CheckpointWarning
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


def chatty() -> nn.Module:
    """Prints, and warns."""
    print("a line that nobody asked for")
    warnings.warn("this is assumed", CheckpointWarning, stacklevel=1)
    return create()


def broken() -> nn.Module:
    raise RuntimeError("the factory's own words")
