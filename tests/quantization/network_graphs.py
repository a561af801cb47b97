"""Small networks for the tests of quantization, and calibrated, quantized versions of them."""

from __future__ import annotations

import numpy as np
import pytest

from scanlet import passes
from scanlet.graph import Graph, Node, Source, Tensor, constant
from scanlet.graph.operators import (
    WEIGHT_ORDER,
    Binary,
    Conv1d,
    Linear,
    Operator,
    Pool1d,
    Reduce,
    SelectiveSSM,
    Unary,
)
from scanlet.graph.quantized import dequantized, quantized
from scanlet.quantization.calibration import Calibration, calibrate
from scanlet.quantization.network import QuantizedGraph, quantize_graph

#: Type of the activations by precision.
PRECISIONS = {"int8": "int8", "int16x8": "int16"}
both = pytest.mark.parametrize("precision", PRECISIONS)


class Net:
    """Builds a graph node by node; every node comes from a module of its own name."""

    def __init__(self, *shape: int, seed: int = 0, dtype: str = "float32") -> None:
        self.rng = np.random.default_rng(seed)
        self.x = Tensor("x", shape, dtype)
        self.graph = Graph([self.x], [], [])
        self.constants = 0

    def weight(self, *shape: int, scale: float = 0.5) -> Tensor:
        return self.value(self.rng.standard_normal(shape) * scale)

    def value(self, data: object) -> Tensor:
        self.constants += 1
        return constant(f"c{self.constants}", np.asarray(data, np.float64))

    def __call__(
        self, op: Operator, *inputs: Tensor, name: str, module: str | None = None
    ) -> Tensor:
        source = Source(name if module is None else module, "model.py:1")
        return self.graph.add(op, inputs, name=name, source=source, dtype="float32")

    def mixer(self, x: Tensor, d_out: int, *, name: str = "mixer", **options: object) -> Tensor:
        inner, states, rank, taps = 8, 4, 2, 4
        shapes = {
            "in_proj_weight": (2 * inner, x.shape[-1]),
            "conv_weight": (inner, taps),
            "conv_bias": (inner,),
            "x_proj_weight": (rank + 2 * states, inner),
            "dt_proj_weight": (inner, rank),
            "dt_proj_bias": (inner,),
            "A": (inner, states),
            "D": (inner,),
            "out_proj_weight": (d_out, inner),
        }
        names = tuple(key for key in WEIGHT_ORDER if key in shapes)
        weights = {key: self.weight(*shapes[key]) for key in names}
        rates = np.tile(np.arange(1.0, states + 1), (inner, 1))
        weights["A"] = constant(f"{name}.A", -rates)
        weights["dt_proj_bias"] = constant(f"{name}.dt", np.full(inner, -2.0))
        for key, tensor in weights.items():
            tensor.name = f"{name}.{key}"
        op = SelectiveSSM(names, inner, states, rank, taps, **options)  # type: ignore[arg-type]
        return self(op, x, *weights.values(), name=name)

    def done(self, *outputs: Tensor) -> Graph:
        self.graph.outputs = list(outputs)
        return passes.run(self.graph)


def samples(graph: Graph, count: int = 24, seed: int = 1) -> list[tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(seed)
    return [
        tuple(
            rng.standard_normal(t.shape).astype(np.float32)
            if t.dtype == "float32"
            else rng.integers(0, 5, t.shape).astype(np.int32)
            for t in graph.inputs
        )
        for _ in range(count)
    ]


def calibrated(graph: Graph) -> Calibration:
    return calibrate(graph, samples(graph))


def quantize(graph: Graph, precision: str, **options: object) -> QuantizedGraph:
    return quantize_graph(graph, calibrated(graph), precision=precision, **options)  # type: ignore[arg-type]


def run_stored(graph: Graph, inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """The real outputs of a quantized graph for real inputs."""
    stored = [
        quantized(array, tensor.quantization, tensor.dtype) if tensor.quantization else array
        for array, tensor in zip(inputs, graph.inputs, strict=True)
    ]
    return [
        dequantized(array, tensor.quantization) if tensor.quantization else array
        for array, tensor in zip(graph.evaluate(stored), graph.outputs, strict=True)
    ]


def signal_to_noise(graph: Graph, made: Graph, count: int = 8) -> float:
    """Decibels, over all outputs; on samples of the calibration, so that nothing saturates."""
    signal = noise = 0.0
    for sample in samples(graph, count):
        for exact, got in zip(graph.evaluate(sample), run_stored(made, sample), strict=True):
            signal += float((exact**2).sum())
            noise += float(((exact - got) ** 2).sum())
    return 10 * np.log10(signal / noise)


def convolutional() -> Graph:
    """Convolutions, a residual sum, pooling, a mean, a head: nothing that needs floats."""
    net = Net(1, 16, 4)
    y = net(Conv1d(padding=(1, 1)), net.x, net.weight(6, 3, 4), net.weight(6), name="conv")
    y = net(Unary("relu"), y, name="relu")
    z = net(Conv1d(padding=(1, 1), groups=6), y, net.weight(6, 3, 1), name="depthwise")
    z = net(Unary("tanh"), z, name="tanh")
    y = net(Binary("add"), y, z, name="sum")
    y = net(Pool1d("max", 2, 2), y, name="pool")
    y = net(Reduce("mean", (1,)), y, name="mean")
    return net.done(net(Linear(), y, net.weight(3, 6), net.weight(3), name="head"))


def node_of(graph: Graph, kind: type) -> Node:
    (node,) = [node for node in graph.nodes if isinstance(node.op, kind)]
    return node


def kinds(graph: Graph) -> list[str]:
    return [type(node.op).__name__ for node in graph.nodes]
