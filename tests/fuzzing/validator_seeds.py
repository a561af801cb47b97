"""Small real models of several kinds, whose flatbuffers are damaged by the validator's fuzzing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import scanlet
from scanlet.emit.flatbuffer import write_model
from scanlet.graph import Graph, constant
from scanlet.graph import Tensor as GraphTensor
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Gather,
    Linear,
    Operator,
    Pad,
    Pool1d,
    Reduce,
    Reshape,
    Softmax,
    StridedSlice,
    Transpose,
    Unary,
)
from scanlet.nn import Mamba2Mixer, MambaMixer

STEPS, FEATURES, WIDTH = 4, 2, 2


@dataclass(frozen=True)
class Seed:
    """A flatbuffer and the sources of its operator (none where it has no SELECTIVE_SSM)."""

    name: str
    tflite: bytes
    component: dict[str, str]


class Classifier(nn.Module):
    """A convolution, a mixer, a mean over time."""

    def __init__(self, mixer: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv1d(FEATURES, WIDTH, 2)
        self.mixer = mixer
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x.transpose(1, 2))).transpose(1, 2)
        return torch.softmax(self.head(self.mixer(x).mean(1)), -1)


class Tagger(nn.Module):
    """An output a step, for streams; a GELU in front."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(FEATURES, WIDTH)
        self.mixer = MambaMixer(WIDTH, d_state=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.mixer(F.gelu(self.enter(x)))


class Scan(nn.Module):
    """A selective scan without a mixer around it."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(WIDTH, 2), nn.Linear(WIDTH, 2)
        self.rates = nn.Parameter(torch.rand(WIDTH, 2))

    def forward(self, x: Tensor) -> Tensor:
        a = -torch.exp(self.rates)
        h, out = x.new_zeros(x.shape[0], WIDTH, 2), []
        for t in range(x.shape[1]):
            u = x[:, t]
            delta = F.softplus(u)
            h = torch.exp(delta[..., None] * a) * h
            h = h + (delta * u)[..., None] * self.enter(u)[:, None]
            out.append((h * self.leave(u)[:, None]).sum(-1))
        return torch.stack(out, 1)


def seeds() -> list[Seed]:
    """All of them; takes some seconds."""
    torch.manual_seed(1)
    mamba = Classifier(MambaMixer(WIDTH, d_state=2))
    integer = {"calibration_data": list(torch.randn(8, 1, STEPS, FEATURES)), "tolerance": 9.0}
    compiled = [
        _compiled("real", mamba),
        _compiled("mamba2", Classifier(Mamba2Mixer(WIDTH, d_state=2, headdim=2))),
        _compiled("scan", Scan()),
        _compiled("stream", Tagger(), mode="stream"),
        _compiled("int8", mamba, precision="int8", **integer),
        _compiled("int16x8", mamba, precision="int16x8", **integer),
    ]
    plain = [Seed(name, write_model(graph), {}) for name, graph in _graphs().items()]
    return [*compiled, *plain]


def _compiled(name: str, network: nn.Module, **options: Any) -> Seed:
    example = torch.zeros(1, STEPS, FEATURES)
    made = scanlet.compile(
        network.eval(), example, name=name, target="generic", progress=False, **options
    )
    return Seed(name, made.tflite, made.component)


def _graphs() -> dict[str, Graph]:
    """Builtin operators that the models above lack, a few a file."""
    bias = constant("b", np.ones(4))
    x = (1, 3, 2)
    files: dict[str, list[tuple[Operator, list[Any]]]] = {
        "moving": [
            (Transpose((0, 2, 1)), [x]),
            (StridedSlice((0, 1, 0), (1, 3, 2), (1, 1, 1)), [x]),
            (Concatenate(1), [x, x]),
            (Pad(((0, 0), (1, 0), (0, 2))), [x]),
            (Reshape((1, 6)), [x]),
        ],
        "windows": [
            (Pool1d("mean", 2, 1), [x]),
            (Pool1d("max", 2, 2), [x]),
            (Conv1d(groups=2, dilation=2), [x, constant("d", np.ones((4, 2, 1))), bias]),
            (Conv1d(padding=(0, 1)), [x, constant("c", np.ones((2, 2, 2)))]),
        ],
        "reductions": [
            (Reduce("max", (1,)), [x]),
            (Reduce("sum", (2,), True), [x]),
            (Softmax(), [x]),
            (Unary("exp"), [x]),
            (Binary("div"), [x, (2,)]),
            (Binary("squared_difference"), [x, x]),
        ],
    }
    graphs = {}
    for name, operators in files.items():
        graph = graphs[name] = Graph([], [], [])
        for i, (op, operands) in enumerate(operators):
            tensors = []
            for j, operand in enumerate(operands):
                tensor = operand
                if isinstance(operand, tuple):
                    tensor = GraphTensor(f"x{i}_{j}", operand)
                    graph.inputs.append(tensor)
                tensors.append(tensor)
            graph.outputs.append(graph.add(op, tensors, name=f"y{i}"))
    tokens = GraphTensor("tokens", (1, 2), "int32")
    graph = graphs["tokens"] = Graph([tokens], [], [])
    table = constant("table", np.arange(6.0).reshape(3, 2))
    rows = graph.add(Gather(0), [table, tokens], name="rows", dtype="float32")
    graph.outputs = [graph.add(Linear(), [rows, constant("v", np.ones((3, 2)))], name="y")]
    return graphs
