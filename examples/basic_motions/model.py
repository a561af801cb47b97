"""A Mamba that tells apart four activities from a smart watch's motion sensors."""

from __future__ import annotations

import torch
from torch import nn

from examples.basic_motions.data import CHANNELS, CLASSES, STEPS
from scanlet.nn import MambaMixer


class MotionClassifier(nn.Module):
    """Linear, one pre-norm residual Mamba block, mean over time, Linear.

    Input (B, 100, 6): accelerometer and gyroscope, normalized channel by channel.
    Output (B, 4): one score a class.
    """

    def __init__(self, d_model: int = 32, d_state: int = 8) -> None:
        super().__init__()
        self.linear_in = nn.Linear(CHANNELS, d_model)
        self.norm = nn.LayerNorm(d_model)
        self.mixer = MambaMixer(d_model, d_state=d_state)
        self.classifier = nn.Linear(d_model, len(CLASSES))
        self.example_input_array = torch.zeros(1, STEPS, CHANNELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear_in(x)
        x = x + self.mixer(self.norm(x))
        return self.classifier(x.mean(dim=1))


def create() -> nn.Module:
    """The untrained network, for `scanlet compile examples.basic_motions.model:create`."""
    return MotionClassifier().eval()
