"""Models that between them need every kernel, and the projects that are written of them."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import scanlet
from scanlet.nn import DiagonalSSM, Mamba2Mixer, MambaMixer, selective_scan

FEATURES = 6
STEPS = 12
LABELS = ("Walk", 'Fährt "Rad"', "Stand still")


class Scan(nn.Module):
    """A selective scan without a mixer around it."""

    def __init__(self, states: int = 3) -> None:
        super().__init__()
        self.streams = nn.Linear(FEATURES, FEATURES + 2 * states)
        self.A = nn.Parameter(-torch.rand(FEATURES, states) - 0.1)
        self.D = nn.Parameter(torch.ones(FEATURES))
        self.sizes = [FEATURES, states, states]

    def forward(self, x: Tensor) -> Tensor:
        delta, b, c = self.streams(x).split(self.sizes, dim=-1)
        return selective_scan(x, nn.functional.softplus(delta), self.A, b, c, self.D)


class Families(nn.Module):
    """Mixers in integers and in float, one layer of each of their relatives, and operators of every
    kind around them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(FEATURES, FEATURES, 3, padding=1)
        self.norm = nn.RMSNorm(FEATURES, eps=1e-5)
        self.mixer = MambaMixer(FEATURES, d_state=4)
        self.float_norm = nn.LayerNorm(FEATURES)
        self.float_mixer = MambaMixer(FEATURES, d_state=4)
        self.gelu = nn.GELU()
        self.mamba2 = Mamba2Mixer(FEATURES, d_state=4, headdim=4)
        self.diagonal = DiagonalSSM(FEATURES, 4)
        self.scan = Scan()
        self.last = MambaMixer(FEATURES, d_state=4)
        self.head = nn.Linear(FEATURES, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x.transpose(1, 2)).transpose(1, 2).tanh()
        x = x + self.mixer(self.norm(x))
        x = self.gelu(x + self.float_mixer(self.float_norm(x)))
        x = x + self.scan(self.diagonal(self.mamba2(x)))
        return self.head(self.last(x).mean(dim=1).relu()).softmax(-1)


#: Modules of Families that integers leave in float.
FLOAT = ("float_norm", "float_mixer", "gelu", "mamba2", "diagonal", "scan")


class Stream(nn.Module):
    """A mixer whose outputs are averaged over all that came so far."""

    def __init__(self) -> None:
        super().__init__()
        self.mixer = MambaMixer(FEATURES, d_state=4)
        self.head = nn.Linear(FEATURES, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x + self.mixer(x)).mean(dim=1))


INT8 = {"precision": "int8", "float_modules": FLOAT}
INT16 = {"precision": "int16x8", "state": "float32", "float_modules": FLOAT}
#: Model, and the options of the compilation.
PROJECTS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "generic": (Families, {"target": "generic", **INT8}),
    "stm32h7": (Families, {"target": "stm32h7", **INT8}),
    "cortex-m55": (Families, {"target": "cortex-m55", **INT16}),
    "esp32s3": (Families, {"target": "esp32s3", **INT8}),
    "application": (Stream, {"target": "esp32s3"}),
    "stream": (Stream, {"target": "generic", "mode": "stream", "pooling": "mean"}),
}


@cache
def project(name: str) -> Path:
    """One of PROJECTS, with random weights, as `scanlet compile` writes it."""
    model, options = PROJECTS[name]
    torch.manual_seed(5)
    samples = [torch.randn(1, STEPS, FEATURES) for _ in range(8)]
    compiled = scanlet.compile(
        model().eval(),
        samples[0],
        calibration_data=samples,
        name="gestures",
        labels=LABELS,
        progress=False,
        **options,
    )
    return compiled.save(Path(_folder().name) / name)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Removed when the session ends."""
    return tempfile.TemporaryDirectory(prefix="scanlet-analysed-")


def matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a project that fit; at least one a pattern."""
    files = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    assert len(files) >= len(patterns)
    return files
