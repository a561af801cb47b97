"""Small models whose operators are fuzzed: between them, every kind of layer there is.

Inputs of the corpus name a layer by its place: new models and layers go behind those that are here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import scanlet
from scanlet.nn import DiagonalSSM, Mamba2Mixer, MambaMixer

FEATURES, WIDTH, STATES, STEPS = 3, 4, 3, 6


class Scan(nn.Module):
    """A selective scan without a mixer around it."""

    def __init__(self) -> None:
        super().__init__()
        self.step_size = nn.Linear(WIDTH, WIDTH)
        self.enter = nn.Linear(WIDTH, STATES)
        self.leave = nn.Linear(WIDTH, STATES)
        self.rates = nn.Parameter(torch.log(torch.rand(WIDTH, STATES) + 0.5))
        self.skip = nn.Parameter(torch.randn(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        a = -torch.exp(self.rates)
        h, out = x.new_zeros(x.shape[0], WIDTH, STATES), []
        for t in range(x.shape[1]):
            u = x[:, t]
            delta = F.softplus(self.step_size(u))
            h = torch.exp(delta[..., None] * a) * h
            h = h + (delta * u)[..., None] * self.enter(u)[:, None]
            out.append((h * self.leave(u)[:, None]).sum(-1) + self.skip * u)
        return torch.stack(out, 1)


class Reals(nn.Module):
    """Every layer of real numbers that a sequence has, one behind the other."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(FEATURES, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.forwards = MambaMixer(WIDTH, d_state=STATES, d_conv=3)
        self.backwards = MambaMixer(WIDTH, d_state=STATES, d_conv=2)
        self.heads = Mamba2Mixer(WIDTH, d_state=STATES, headdim=4)
        self.complex = DiagonalSSM(WIDTH, 4)
        self.real = DiagonalSSM(WIDTH, STATES, complex=False)
        self.scan = Scan()
        self.hidden = nn.Linear(WIDTH, 5)
        self.last = nn.Linear(5, WIDTH)
        self.pooled = MambaMixer(WIDTH, d_state=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        normed = self.norm(x)
        x = x + self.forwards(normed) + self.backwards(normed.flip(1)).flip(1)
        x = self.scan(self.real(self.complex(self.heads(x))))
        x = self.last(F.gelu(self.hidden(x)))
        return self.pooled(x).mean(1)


class RealStream(nn.Module):
    """Layers that carry a state from call to call, a delay line and a running mean among them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(FEATURES, WIDTH, 3)
        self.mixer = MambaMixer(WIDTH, d_state=STATES)
        self.heads = Mamba2Mixer(WIDTH, d_state=STATES, headdim=4)
        self.complex = DiagonalSSM(WIDTH, 4)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x.transpose(1, 2), (2, 0))
        x = torch.relu(self.stem(x)).transpose(1, 2)
        x = x + self.mixer(x)
        x = self.complex(self.heads(x))
        return self.norm(x).mean(1)


class Integers(nn.Module):
    """A mixer that takes in all around it, and one with a residual stream."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(FEATURES, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.first = MambaMixer(WIDTH, d_state=STATES)
        self.last = MambaMixer(WIDTH, d_state=STATES, d_conv=3)
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = x + self.first(self.norm(x))
        return self.head(self.last(x).mean(1))


class IntegerStream(nn.Module):
    """The same as a stream, with a delay line and a running mean of integers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(FEATURES, WIDTH, 3)
        self.mixer = MambaMixer(WIDTH, d_state=STATES)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x.transpose(1, 2), (2, 0))
        x = torch.relu(self.stem(x)).transpose(1, 2)
        return self.norm(x + self.mixer(x)).mean(1)


@dataclass(frozen=True)
class FuzzedModel:
    """How a model is compiled; its name prefixes the component's symbols."""

    name: str
    network: Callable[[], nn.Module]
    arguments: dict[str, Any]

    def compile(self) -> scanlet.Compiled:
        torch.manual_seed(1)
        arguments = dict(self.arguments)
        if "precision" in arguments:
            arguments["calibration_data"] = list(torch.randn(12, 1, STEPS, FEATURES))
        return scanlet.compile(
            self.network().eval(),
            torch.randn(1, STEPS, FEATURES),
            name=self.name,
            progress=False,
            **arguments,
        )


STREAM = {"mode": "stream", "pooling": "mean"}
MODELS = (
    FuzzedModel("reals", Reals, {"target": "generic"}),
    FuzzedModel("real_stream", RealStream, {"target": "generic", **STREAM}),
    FuzzedModel("bytes", Integers, {"target": "generic", "precision": "int8", "state": "int16"}),
    FuzzedModel("words", Integers, {"target": "esp32s3", "precision": "int16x8"}),
    FuzzedModel("octets", Integers, {"target": "cortex-m55", "precision": "int8"}),
    FuzzedModel("byte_stream", IntegerStream, {"precision": "int8", **STREAM}),
    FuzzedModel("word_stream", IntegerStream, {"precision": "int16x8", **STREAM}),
)
