"""Pointwise operators: binary with NumPy broadcasting, and unary functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Operator, Shape


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0 / (1.0 + e), e / (1.0 + e)).astype(x.dtype)


def silu(x: np.ndarray) -> np.ndarray:
    """x * sigmoid(x)."""
    return x * sigmoid(x)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype)


BINARY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "squared_difference": lambda a, b: (a - b) * (a - b),
}

UNARY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "silu": silu,
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2.0))),
    "gelu_tanh": lambda x: (
        0.5 * x * (1 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    ),
    "exp": np.exp,
    "log": np.log,
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "square": np.square,
}


@dataclass(frozen=True)
class Binary(Operator):
    """`kind` of BINARY, with NumPy broadcasting."""

    kind: str

    def __post_init__(self) -> None:
        if self.kind not in BINARY:
            raise GraphError(f"unknown binary operator {self.kind!r}")

    def infer_shape(self, *shapes: Shape) -> Shape:
        return tuple(int(n) for n in np.broadcast_shapes(*shapes))

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return BINARY[self.kind](arrays[0], arrays[1])


@dataclass(frozen=True)
class Unary(Operator):
    """`kind` of UNARY, element by element."""

    kind: str

    def __post_init__(self) -> None:
        if self.kind not in UNARY:
            raise GraphError(f"unknown unary operator {self.kind!r}")

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return UNARY[self.kind](arrays[0]).astype(arrays[0].dtype)
