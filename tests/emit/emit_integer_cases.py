"""The one-operator graphs of emit_cases in integers, and a joint graph of many of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from emit_cases import Case, cases, one_node, weights

from scanlet.graph import Graph, Node
from scanlet.graph.operators import (
    Conv1d,
    Gather,
    Linear,
    Pad,
    Quantize,
    Reduce,
    Softmax,
    Unary,
)
from scanlet.graph.quantized import quantized
from scanlet.quantization.network import QuantizedGraph, quantize_graph

PRECISIONS = ("int8", "int16x8")
TYPES = {"int8": "int8", "int16x8": "int16"}


class Ranges:
    """What quantize_graph asks of a calibration, measured plainly: minimum and maximum."""

    def __init__(self, graph: Graph, samples: list[list[np.ndarray]]) -> None:
        self.mixers: dict = {}
        self._ranges: dict[str, tuple[float, float]] = {}
        for sample in samples:
            for name, array in graph.trace(sample).items():
                low, high = self._ranges.get(name, (np.inf, -np.inf))
                self._ranges[name] = (min(low, float(array.min())), max(high, float(array.max())))

    def range(self, name: str) -> tuple[float, float]:
        return self._ranges[name]

    def moments(self, name: str) -> None:  # noqa: ARG002
        return None


def real_inputs(
    graph: Graph, *, positive: bool = False, seed: int = 0, spread: float = 2.0
) -> list:
    rng = np.random.default_rng(seed)
    arrays = [
        rng.standard_normal(t.shape) * spread
        if t.dtype == "float32"
        else rng.integers(0, 3, t.shape).astype(np.int32)
        for t in graph.inputs
    ]
    return [np.abs(a) + 0.1 if positive and a.dtype != np.int32 else a for a in arrays]


def quantize(graph: Graph, precision: str, *, positive: bool = False, **options) -> QuantizedGraph:
    samples = [real_inputs(graph, positive=positive, seed=seed) for seed in range(3)]
    return quantize_graph(graph, Ranges(graph, samples), precision=precision, **options)


def stored_inputs(graph: Graph, reals: list[np.ndarray]) -> list[np.ndarray]:
    return [
        quantized(real, tensor.quantization, tensor.dtype) if tensor.quantization else real
        for real, tensor in zip(reals, graph.inputs, strict=True)
    ]


@dataclass(frozen=True)
class IntegerCase:
    name: str
    emits: str
    graph: Graph
    inputs: tuple[np.ndarray, ...]


@cache
def integer_cases(precision: str) -> list[IntegerCase]:
    """Those of emit_cases that are integer in `precision`, and some more, without islands."""
    extra = [
        Case("FULLY_CONNECTED", one_node(Linear("relu"), (1, 5), weights(1, 5), weights(1))),
        Case("FULLY_CONNECTED", one_node(Linear(), (1, 400), weights(6, 400), 50 * weights(6))),
        Case("CONV_2D", one_node(Conv1d(padding=(1, 1)), (1, 9, 3), weights(1, 3, 3))),
        Case(
            "DEPTHWISE_CONV_2D", one_node(Conv1d(groups=3, stride=2), (1, 9, 3), weights(6, 2, 1))
        ),
        Case("SOFTMAX", one_node(Softmax(), (1, 511))),
        Case("SUM", one_node(Reduce("sum", (1,)), (1, 300, 2))),
        Case("MEAN", one_node(Reduce("mean", (1,)), (1, 300, 2))),
        Case("PAD", one_node(Pad(((0, 0), (2, 0), (0, 0))), (1, 4, 3)), positive=True),
        Case("RELU6", one_node(Unary("relu6"), (1, 4000))),
        Case("TANH", one_node(Unary("tanh"), (1, 4000))),
        Case("LOGISTIC", one_node(Unary("sigmoid"), (1, 4000))),
    ]
    result = []
    for index, case in enumerate((*cases(), *extra)):
        made = quantize(case.graph, precision, positive=case.positive)
        if not made.islands:
            reals = real_inputs(case.graph, positive=case.positive, spread=2.5)
            inputs = tuple(stored_inputs(made.graph, reals))
            result.append(IntegerCase(f"{case.emits}_{index}", case.emits, made.graph, inputs))
    result.append(embedding_case(precision))
    result.append(rescaling_case(precision))
    return result


def embedding_case(precision: str) -> IntegerCase:
    graph = one_node(Gather(0), weights(7, 3), (4,))
    graph.inputs[0].dtype = "int32"
    graph.outputs[0].dtype = "float32"
    made = quantize(graph, precision).graph
    return IntegerCase("embedding", "GATHER", made, (np.array([6, 0, 3, 3], np.int32),))


def rescaling_case(precision: str) -> IntegerCase:
    """A QUANTIZE between integers, in front of a quantized graph."""
    graph = quantize(one_node(Unary("relu"), (1, 40)), precision).graph
    x = graph.inputs[0]
    assert x.quantization is not None
    scale = float(np.float32(x.quantization.scales[0] * 0.7))
    finer = replace(x.quantization, scales=(scale,))
    raw = replace(x, name="raw", quantization=finer)
    op = Quantize(x.quantization.scales[0], x.quantization.zero_points[0], x.dtype)
    graph.nodes.insert(0, Node(op, [raw], [x]))
    graph.inputs = [raw]
    info = np.iinfo(x.dtype)
    values = np.linspace(info.min, info.max, 40).astype(x.dtype).reshape(1, 40)
    return IntegerCase("rescaling", "QUANTIZE", graph, (values,))


def joint(chosen: list[IntegerCase]) -> tuple[Graph, list[np.ndarray]]:
    """All cases side by side in one graph, so that one compilation serves them all."""
    whole = Graph([], [], [])
    for case in chosen:
        part = case.graph.copy()
        for tensor in part.tensors():
            tensor.name = f"{case.name}.{tensor.name}"
        whole.inputs += part.inputs
        whole.outputs += part.outputs
        whole.nodes += part.nodes
    whole.validate()
    return whole, [array for case in chosen for array in case.inputs]
