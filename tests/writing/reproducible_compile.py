"""Compiles some small models into a folder, as a process of its own: its argument.

A name behind it compiles only that one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch

import scanlet
from scanlet.cli import app
from scanlet.nn import MambaMixer

FEATURES, LENGTH = 5, 24


class Classifier(torch.nn.Module):
    """Two residual mixers, a norm each, a pooled head; the same weights each time."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.embed = torch.nn.Linear(FEATURES, width)
        self.mixers = torch.nn.ModuleList(MambaMixer(width, d_state=4) for _ in range(2))
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(width) for _ in range(2))
        self.head = torch.nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for mixer, norm in zip(self.mixers, self.norms, strict=True):
            x = x + mixer(norm(x))
        return self.head(x.mean(dim=1))


def factory() -> torch.nn.Module:
    return Classifier().eval()


def samples(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(8)
    return list(rng.standard_normal((count, 1, LENGTH, FEATURES)).astype(np.float32))


CALLS: dict[str, dict] = {
    "int8": {"target": "esp32s3", "precision": "int8", "labels": ["a", "b", "c"]},
    "stm32": {"target": "stm32h7"},
    "generic": {"target": "generic", "precision": "int16x8", "state": "float32"},
    "stream": {"target": "esp32s3", "mode": "stream", "chunk": 8, "pooling": "exponential:16"},
}


def by_command(output: Path) -> None:
    """As a shell would call it, with a path of its own and counts on a core."""
    data = output.parent / "data.npy"
    np.save(data, np.concatenate(samples(6)))
    shape = f"1,{LENGTH},{FEATURES}"
    words = ["compile", "reproducible_compile:factory", "-o", str(output), "--calibration"]
    words += [str(data), "--input-shape", shape, "--name", "net", "--measure", "cortex-m7"]
    app(words, standalone_mode=False)


def main() -> None:
    folder, only = Path(sys.argv[1]), sys.argv[2:]
    os.umask(int(os.environ.get("UMASK", "022"), 8))
    folder.mkdir(parents=True)
    for name, call in CALLS.items():
        if only and name not in only:
            continue
        data = samples(12) if "precision" in call else None
        compiled = scanlet.compile(
            factory(),
            torch.zeros(1, LENGTH, FEATURES),
            calibration_data=data,
            name="net",
            progress=False,
            **call,
        )
        compiled.save(folder / name)
    if not only or "command" in only:
        by_command(folder / "command")


if __name__ == "__main__":
    main()
