"""A Mamba that recognises four spoken words from one second of log-mel features."""

from __future__ import annotations

import torch
from torch import nn

from examples.keyword_spotting.data import CLASSES
from examples.keyword_spotting.features import CHANNELS, FRAMES
from scanlet.nn import MambaMixer


class KeywordSpotter(nn.Module):
    """Two convolutions, one residual Mamba mixer, mean over time, Linear.

    Input (B, 98, 40), normalized channel by channel; output (B, 6), one score a class. The first
    convolution halves the sequence, and with it the work of the scan. The batch norms become parts
    of the convolutions when the model is compiled: nothing in the network needs a square root.
    """

    def __init__(self, d_model: int = 48, d_state: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(CHANNELS, d_model, kernel_size=3, stride=2, bias=False),
            nn.BatchNorm1d(d_model),
            nn.ReLU(),
            nn.Conv1d(d_model, d_model, kernel_size=3, bias=False),
            nn.BatchNorm1d(d_model),
            nn.ReLU(),
        )
        self.mixer = MambaMixer(d_model, d_state=d_state)
        self.classifier = nn.Linear(d_model, len(CLASSES))
        self.example_input_array = torch.zeros(1, FRAMES, CHANNELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x.transpose(1, 2)).transpose(1, 2)
        x = x + self.mixer(x)
        return self.classifier(x.mean(dim=1))


def create() -> nn.Module:
    """The untrained network, for `scanlet compile examples.keyword_spotting.model:create`."""
    return KeywordSpotter().eval()
