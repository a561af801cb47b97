"""The networks that are counted: of MambaLite-Micro's shapes, with weights drawn at random."""

from __future__ import annotations

import torch
from rich.console import Console
from torch import nn

import scanlet
from scanlet.nn import MambaMixer

CORES = ("cortex-m4", "cortex-m7", "cortex-m55", "xtensa-fpu", "rv32imc")
#: features, classes, steps
NETWORKS = {"HAR 10x57": (57, 6, 10), "KWS 100x40": (40, 10, 100)}
CALIBRATION_SAMPLES = 32
#: Wide enough for the tables, also where the output is a file.
console = Console(width=max(Console().width, 110))


class MambaClassifier(nn.Module):
    """Linear, one Mamba (64/128/16), mean over time, Linear."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear_in = nn.Linear(features, 64)
        self.mamba = MambaMixer(64, d_state=16)
        self.classifier = nn.Linear(64, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.mamba(self.linear_in(x)).mean(dim=1))


def compile_network(
    name: str, length: int | None = None, *, target: str = "generic", precision: str = "float32"
) -> scanlet.Compiled:
    """One of NETWORKS, of its own length unless told; integers hold the state in int16."""
    features, classes, default = NETWORKS[name]
    torch.manual_seed(0)
    model = MambaClassifier(features, classes).eval()
    integer = precision != "float32"
    samples = CALIBRATION_SAMPLES if integer else 1
    data = [torch.randn(1, length or default, features) for _ in range(samples)]
    return scanlet.compile(
        model,
        data[0],
        target=target,
        precision=precision,
        state="int16" if integer else None,
        name="network",
        calibration_data=data,
        progress=False,
    )
