"""A Mamba that recognises six activities from 2.56 seconds of a phone's motion sensors."""

from __future__ import annotations

import torch
from torch import nn

from examples.uci_har.data import CHANNELS, CLASSES, STEPS
from scanlet.nn import MambaMixer


class ActivityClassifier(nn.Module):
    """Strided convolution, one pre-norm residual Mamba block, mean over time, Linear.

    Input (B, 128, 9), normalized channel by channel; output (B, 6), one score a class. The
    convolution halves the sequence, and with it the work of the scan; it does not pad, so that the
    compiler can fold the normalization into it.
    """

    def __init__(self, d_model: int = 32, d_state: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv1d(CHANNELS, d_model, kernel_size=5, stride=2)
        self.norm = nn.LayerNorm(d_model)
        self.mixer = MambaMixer(d_model, d_state=d_state)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(d_model, len(CLASSES))
        self.example_input_array = torch.zeros(1, STEPS, CHANNELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(self.stem(x.transpose(1, 2))).transpose(1, 2)
        x = x + self.mixer(self.norm(x))
        return self.classifier(self.dropout(x.mean(dim=1)))


def create() -> nn.Module:
    """The untrained network, for `scanlet compile examples.uci_har.model:create`."""
    return ActivityClassifier().eval()
