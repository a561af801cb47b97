"""Small models that the tests of integer precisions compile, with data for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

import scanlet
from scanlet.nn import MambaMixer

MEAN = np.array([1.0, -2.0, 0.0, 5.0, 3.0])
STD = np.array([2.0, 0.5, 1.0, 4.0, 0.1])
LABELS = ("rest", "walk", "run")


class OneMixer(nn.Module):
    """Linear -> mixer -> mean over time -> Linear: all of it joins the operator."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.mixer = MambaMixer(8, d_state=4, d_conv=3)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(self.embed(x)).mean(1))


class StemAndNorms(nn.Module):
    """Convolution and BatchNorm, two directions behind one norm, a norm, a GELU head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, 8, 3, padding=1)
        self.bn = nn.BatchNorm1d(8)
        self.norm = nn.LayerNorm(8)
        self.forwards = MambaMixer(8, d_state=4)
        self.backwards = MambaMixer(8, d_state=4)
        self.last_norm = nn.LayerNorm(8)
        self.hidden = nn.Linear(8, 12)
        self.activation = nn.GELU()
        self.head = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn(self.stem(x.transpose(1, 2)))).transpose(1, 2)
        normed = self.norm(x)
        x = x + self.forwards(normed) + self.backwards(normed.flip(1)).flip(1)
        x = self.last_norm(x).mean(1)
        return self.head(self.activation(self.hidden(x)))


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.mixer = MambaMixer(6, d_state=4)
        self.head = nn.Linear(6, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(self.embedding(tokens)).mean(1))


@dataclass(frozen=True)
class Case:
    """A model, inputs (n, 1, ...) to calibrate with and others to try, and arguments for it."""

    model: nn.Module
    data: np.ndarray
    unseen: np.ndarray
    arguments: dict[str, Any] = field(default_factory=dict)

    def compile(self, precision: str = "int8", **arguments: Any) -> scanlet.Compiled:
        given = {"calibration_data": list(self.data), "progress": False}
        return scanlet.compile(
            self.model,
            torch.from_numpy(self.data[0]),
            precision=precision,
            **(given | self.arguments | arguments),
        )

    def expected(self, x: np.ndarray) -> np.ndarray:
        """PyTorch's outputs for raw inputs."""
        if "normalization" in self.arguments:
            mean, std = self.arguments["normalization"]
            x = ((x - mean) / std).astype(np.float32)
        with torch.no_grad():
            return self.model(torch.from_numpy(x)).numpy()


def make_case(kind: str) -> Case:
    torch.manual_seed(5)
    rng = np.random.default_rng(6)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    match kind:
        case "classifier":
            raw = (normal(48, 1, 12, 5) * STD + MEAN).astype(np.float32)
            given = {"normalization": (MEAN, STD), "labels": LABELS, "name": "gait"}
            return Case(OneMixer().eval(), raw[:40], raw[40:, 0], given)
        case "stem":
            model = StemAndNorms()
            for _ in range(3):  # BatchNorm's statistics
                model(torch.randn(8, 16, 4))
            return Case(model.eval(), normal(24, 1, 16, 4), normal(4, 16, 4))
        case "tokens":
            tokens = rng.integers(0, 11, (28, 1, 9))
            return Case(Tokens().eval(), tokens[:24], tokens[24:, 0])
    raise ValueError(kind)
