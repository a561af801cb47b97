"""One-operator graphs, one at least for every operator that scanlet emits, and a way to run them.

The flatbuffers run in the wheel's interpreter directly, without scanlet's own execution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tflite_micro.python.tflite_micro import runtime

from scanlet.emit.flatbuffer import write_model
from scanlet.graph import Graph, Tensor, constant
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

ARENA_BYTES = 1 << 20


def one_node(op: Operator, *operands: tuple[int, ...] | np.ndarray) -> Graph:
    """`op` on operands: a shape makes an input, an array a constant."""
    graph = Graph([], [], [])
    tensors = []
    for i, operand in enumerate(operands):
        if isinstance(operand, tuple):
            tensors.append(Tensor(f"x{i}", operand))
            graph.inputs.append(tensors[-1])
        else:
            dtype = "float32" if np.issubdtype(operand.dtype, np.floating) else "int32"
            tensors.append(constant(f"c{i}", operand, dtype))
    graph.outputs = [graph.add(op, tensors, name="y")]
    return graph


def run_in_wheel(tflite: bytes, *inputs: np.ndarray) -> list[np.ndarray]:
    interpreter = runtime.Interpreter.from_bytes(tflite, arena_size=ARENA_BYTES)
    for i, array in enumerate(inputs):
        interpreter.set_input(array, i)
    interpreter.invoke()
    return [interpreter.get_output(0)]


def random_inputs(graph: Graph, *, positive: bool = False, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(tensor.shape) for tensor in graph.inputs]
    if positive:
        arrays = [np.abs(array) + 0.1 for array in arrays]
    return [array.astype(np.float32) for array in arrays]


def check(graph: Graph, *, positive: bool = False) -> None:
    """Emit, run, and compare with the NumPy meaning in float64."""
    inputs = random_inputs(graph, positive=positive)
    (got,) = run_in_wheel(write_model(graph), *inputs)
    (expected,) = graph.evaluate(inputs)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@dataclass(frozen=True)
class Case:
    emits: str
    graph: Graph
    positive: bool = False


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape)


def cases() -> list[Case]:
    result = [
        Case("FULLY_CONNECTED", one_node(Linear(), (1, 5), weights(3, 5), weights(3))),
        Case("FULLY_CONNECTED", one_node(Linear(), (1, 5), weights(3, 5))),
        Case("FULLY_CONNECTED", one_node(Linear("relu"), (1, 7, 5), weights(3, 5), weights(3))),
        Case("FULLY_CONNECTED", one_node(Linear("relu6"), (1, 2, 7, 5), 9 * weights(3, 5))),
        Case("CONV_2D", one_node(Conv1d(), (1, 9, 4), weights(6, 3, 4), weights(6))),
        Case("CONV_2D", one_node(Conv1d(stride=2, activation="relu"), (1, 9, 4), weights(6, 3, 4))),
        Case("CONV_2D", one_node(Conv1d(padding=(1, 1)), (1, 9, 1), weights(6, 3, 1))),
        Case("CONV_2D", one_node(Conv1d(dilation=2), (1, 9, 4), weights(6, 3, 4))),
        Case("DEPTHWISE_CONV_2D", one_node(Conv1d(groups=4), (1, 9, 4), weights(4, 3, 1))),
        Case(
            "DEPTHWISE_CONV_2D",
            one_node(Conv1d(groups=4, dilation=2), (1, 9, 4), weights(8, 3, 1), weights(8)),
        ),
        Case("AVERAGE_POOL_2D", one_node(Pool1d("mean", 3, 2), (1, 9, 4))),
        Case("MAX_POOL_2D", one_node(Pool1d("max", 2, 2), (1, 9, 4))),
        Case("SOFTMAX", one_node(Softmax(), (1, 6))),
        Case("SOFTMAX", one_node(Softmax(), (1, 3, 6))),
        Case("SOFTMAX", one_node(Softmax(), (1, 2, 3, 6))),
        Case("RESHAPE", one_node(Reshape((1, 3, 8)), (1, 6, 4))),
        Case("RESHAPE", one_node(Reshape((2, 1, 3, 2, 2)), (1, 6, 4))),
        Case("TRANSPOSE", one_node(Transpose((1, 0)), (3, 4))),
        Case("TRANSPOSE", one_node(Transpose((0, 2, 1)), (1, 3, 4))),
        Case("TRANSPOSE", one_node(Transpose((0, 3, 1, 2)), (1, 3, 4, 2))),
        Case("TRANSPOSE", one_node(Transpose((0, 4, 3, 1, 2)), (1, 3, 4, 2, 2))),
        Case("STRIDED_SLICE", one_node(StridedSlice((0, 1, 0), (1, 9, 4), (1, 3, 2)), (1, 9, 4))),
        Case("STRIDED_SLICE", one_node(StridedSlice((0, 8), (1, 9), (1, 1)), (1, 9))),
        Case("CONCATENATION", one_node(Concatenate(1), (1, 2, 3), (1, 4, 3), weights(1, 1, 3))),
        Case("CONCATENATION", one_node(Concatenate(3), *([(1, 2, 3, 1)] * 10))),
        Case("PAD", one_node(Pad(((0, 0), (3, 1), (0, 2))), (1, 4, 3))),
        Case("PAD", one_node(Pad(((0, 0), (3, 1), (1, 2), (0, 0))), (1, 4, 3, 2))),
        Case("GATHER", one_node(Gather(1), (1, 5, 3), np.array([4, 0, 0]))),
        Case("GATHER", one_node(Gather(0), (5, 3), np.array([[4, 0], [1, 1]]))),
    ]
    for kind, name in (("mean", "MEAN"), ("max", "REDUCE_MAX"), ("min", "REDUCE_MIN")):
        for keepdims in (False, True):
            result += [
                Case(name, one_node(Reduce(kind, (1,), keepdims), (1, 7, 5))),
                Case(name, one_node(Reduce(kind, (1, 2), keepdims), (1, 3, 4, 5))),
                Case(name, one_node(Reduce(kind, (0, 2), keepdims), (2, 3, 4, 1, 2))),
            ]
    result.append(Case("SUM", one_node(Reduce("sum", (0, 1, 2)), (1, 7, 5))))
    result.append(Case("SUM", one_node(Reduce("sum", (2,), True), (1, 7, 5))))
    binary = {"add": "ADD", "sub": "SUB", "mul": "MUL", "div": "DIV", "maximum": "MAXIMUM"}
    binary |= {"minimum": "MINIMUM", "squared_difference": "SQUARED_DIFFERENCE"}
    for kind, name in binary.items():
        for shapes in (
            ((1, 6), (1, 6)),
            ((1, 4, 6), (6,)),
            ((1, 4, 1), (1, 1, 6)),
            ((2, 1, 4, 6), (3, 1, 1)),
            ((1, 2, 3, 4, 5), (1, 2, 3, 4, 5)),
        ):
            result.append(Case(name, one_node(Binary(kind), *shapes), positive=kind == "div"))
        result.append(Case(name, one_node(Binary(kind), (1, 4, 6), np.array(2.5))))
        result.append(
            Case(name, one_node(Binary(kind), np.array([[2.5]]), (1, 4, 6)), kind == "div")
        )
    unary = {"relu": "RELU", "relu6": "RELU6", "tanh": "TANH", "sigmoid": "LOGISTIC"}
    unary |= {k: k.upper() for k in ("exp", "log", "neg", "abs", "sqrt", "rsqrt", "square")}
    for kind, name in unary.items():
        for shape in ((1, 6), (1, 4, 6), (1, 2, 3, 4), (1, 2, 2, 3, 2)):
            case = Case(name, one_node(Unary(kind), shape), kind in ("log", "sqrt", "rsqrt"))
            result.append(case)
    return result
