"""Small streamed models: everything fused, nothing fused, an output at each step."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import scanlet
from scanlet.nn import MambaMixer

STEPS = 24


class Fused(nn.Module):
    """Linear, mixer, mean over time, Linear: all of it joins the operator."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.mixer = MambaMixer(8, d_state=4)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(self.embed(x)).mean(1))


class Apart(nn.Module):
    """A causal stem with a stride, two residual mixers, a norm and a mean that join no mixer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(5, 8, 3, stride=2)
        self.depthwise = nn.Conv1d(8, 8, 3, padding=2, groups=8)
        self.mixers = nn.ModuleList(MambaMixer(8, d_state=4) for _ in range(2))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(nn.functional.pad(x.transpose(1, 2), (1, 0))))
        x = self.depthwise(x)[..., :-2].transpose(1, 2)
        for mixer in self.mixers:
            x = x + mixer(x)
        return self.head(self.norm(x).mean(1))


class Stepwise(nn.Module):
    """An output at each step, behind a convolution with a dilation."""

    def __init__(self) -> None:
        super().__init__()
        self.mixer = MambaMixer(5, d_state=4)
        self.conv = nn.Conv1d(5, 4, 2, dilation=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.mixer(x).transpose(1, 2)
        return torch.tanh(self.conv(nn.functional.pad(x, (3, 0)))).transpose(1, 2)


MODELS = {"fused": Fused, "apart": Apart, "stepwise": Stepwise}
#: The fewest steps a call.
LEAST = {"fused": 1, "apart": 2, "stepwise": 1}


def sequences(count: int, seed: int = 0) -> list[np.ndarray]:
    """Samples (1, STEPS, 5)."""
    rng = np.random.default_rng(seed)
    return list(rng.standard_normal((count, 1, STEPS, 5)).astype(np.float32))


def model(kind: str) -> nn.Module:
    torch.manual_seed(4)
    return MODELS[kind]().eval()


def compile_stream(kind: str, chunk: int | None, **arguments: object) -> scanlet.Compiled:
    """`kind` with a running mean (where it has a mean), captured at STEPS steps."""
    if kind != "stepwise":
        arguments = {"pooling": "mean", **arguments}
    given = {"calibration_data": sequences(12), "progress": False, "mode": "stream"}
    example = torch.zeros(1, STEPS, 5)
    return scanlet.compile(model(kind), example, chunk=chunk, **{**given, **arguments})


def expected(kind: str, x: np.ndarray) -> np.ndarray:
    """PyTorch's outputs for a sequence."""
    with torch.no_grad():
        return model(kind)(torch.from_numpy(x)).numpy()
