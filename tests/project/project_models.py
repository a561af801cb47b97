"""The network whose projects the tests here look at."""

from __future__ import annotations

import torch
from torch import nn

from scanlet.nn import MambaMixer


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mixer = MambaMixer(4, d_state=4, d_conv=3)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(x).mean(dim=1).relu())
