"""Models whose reports the tests look at."""

from __future__ import annotations

import torch
from torch import nn

import scanlet
from scanlet.nn import MambaMixer

LABELS = ("walk", "climb up", "climb down", "sit", "stand", "lie")


class Layers(nn.Module):
    """Linear, residual pre-norm mixers, ReLU, mean over time, Linear."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.first = nn.Linear(9, 32)
        self.mixers = nn.ModuleList(MambaMixer(32, d_state=8) for _ in range(layers))
        self.norms = nn.ModuleList(nn.RMSNorm(32) for _ in range(layers))
        self.head = nn.Linear(32, len(LABELS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for norm, mixer in zip(self.norms, self.mixers, strict=True):
            x = x + mixer(norm(x))
        return self.head(torch.relu(x).mean(dim=1))


def compile_layers(layers: int, precision: str = "float32", steps: int = 24) -> scanlet.Compiled:
    """A classifier of six classes, verified on eight samples."""
    torch.manual_seed(0)
    samples = [torch.randn(1, steps, 9) for _ in range(8)]
    return scanlet.compile(
        Layers(layers).eval(),
        samples[0],
        target="esp32s3",
        precision=precision,
        calibration_data=samples,
        labels=LABELS,
        name="layers",
        progress=False,
    )
