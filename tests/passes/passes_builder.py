"""A few words to write graphs by hand, and the comparison that all pass tests make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose

from scanlet.graph import Graph, Source, Tensor, constant
from scanlet.graph.operators import (
    WEIGHT_ORDER,
    Binary,
    Flip,
    Linear,
    Norm,
    Operator,
    Reduce,
    Reshape,
    SelectiveSSM,
    StridedSlice,
    Transpose,
    Unary,
)


class Builder:
    """Builds a graph node by node; weights are random (seeded), node names count up."""

    def __init__(self, *shape: int, seed: int = 0, dtype: str = "float32") -> None:
        self.rng = np.random.default_rng(seed)
        self.x = Tensor("x", shape, dtype)
        self.graph = Graph([self.x], [], [])
        self._count = 0

    def const(self, *shape: int, low: float = -1.0, high: float = 1.0) -> Tensor:
        return self.value(self.rng.uniform(low, high, shape))

    def value(self, data: object) -> Tensor:
        self._count += 1
        return constant(f"c{self._count}", np.asarray(data, np.float32))

    def __call__(self, op: Operator, *inputs: Tensor, module: str = "") -> Tensor:
        self._count += 1
        name = f"{type(op).__name__.lower()}{self._count}"
        return self.graph.add(op, inputs, name=name, source=Source(module, "model.py:1"))

    # -- frequent operators --------------------------------------------------------------------
    def linear(
        self, x: Tensor, out: int, *, bias: bool = True, activation: str | None = None
    ) -> Tensor:
        weights = [self.const(out, x.shape[-1])] + ([self.const(out)] if bias else [])
        return self(Linear(activation), x, *weights)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return self(Binary("add"), a, b)

    def mul(self, a: Tensor, b: Tensor) -> Tensor:
        return self(Binary("mul"), a, b)

    def unary(self, kind: str, x: Tensor) -> Tensor:
        return self(Unary(kind), x)

    def transpose(self, x: Tensor, *perm: int) -> Tensor:
        return self(Transpose(perm), x)

    def reshape(self, x: Tensor, *shape: int) -> Tensor:
        return self(Reshape(shape), x)

    def flip(self, x: Tensor, axis: int = 1) -> Tensor:
        return self(Flip(axis), x)

    def mean(self, x: Tensor, *axes: int, keepdims: bool = False) -> Tensor:
        return self(Reduce("mean", axes, keepdims), x)

    def step(self, x: Tensor, index: int) -> Tensor:
        """x[:, index] with the time axis kept."""
        begin, end = [0] * len(x.shape), list(x.shape)
        begin[1], end[1] = index, index + 1
        return self(StridedSlice(tuple(begin), tuple(end), (1,) * len(x.shape)), x)

    def norm(self, x: Tensor, kind: str = "rms", parts: int = 1) -> Tensor:
        return self(Norm(kind, 1e-5), x, *[self.const(x.shape[-1]) for _ in range(parts)])

    def mixer(
        self,
        x: Tensor,
        d_out: int | None = None,
        *,
        d_inner: int = 4,
        d_state: int = 2,
        dt_rank: int = 1,
        d_conv: int = 2,
        biases: bool = False,
        **options: object,
    ) -> Tensor:
        d = x.shape[-1]
        shapes = {
            "in_proj_weight": (2 * d_inner, d),
            "in_proj_bias": (2 * d_inner,),
            "conv_weight": (d_inner, d_conv),
            "conv_bias": (d_inner,),
            "x_proj_weight": (dt_rank + 2 * d_state, d_inner),
            "dt_proj_weight": (d_inner, dt_rank),
            "dt_proj_bias": (d_inner,),
            "A": (d_inner, d_state),
            "D": (d_inner,),
            "out_proj_weight": (d_out or d, d_inner),
            "out_proj_bias": (d_out or d,),
        }
        if not biases:
            del shapes["in_proj_bias"], shapes["out_proj_bias"]
        names = tuple(name for name in WEIGHT_ORDER if name in shapes)
        op = SelectiveSSM(names, d_inner, d_state, dt_rank, d_conv, **options)  # type: ignore[arg-type]
        weights = [
            self.const(*shapes[name], low=-2.0, high=-0.1)
            if name == "A"
            else self.const(*shapes[name])
            for name in names
        ]
        return self(op, x, *weights)

    def done(self, *outputs: Tensor) -> Graph:
        self.graph.outputs = list(outputs)
        self.graph.validate()
        return self.graph


def ops(graph: Graph) -> list[str]:
    """The graph's operators by name, in order."""
    return [type(node.op).__name__ for node in graph.nodes]


def kinds(graph: Graph, kind: type) -> list:
    """The operators of one kind."""
    return [node.op for node in graph.nodes if isinstance(node.op, kind)]


def assert_same_meaning(before: Graph, after: Graph, seed: int = 1, rtol: float = 1e-9) -> None:
    """Both graphs are valid and compute the same outputs in float64."""
    after.validate()
    rng = np.random.default_rng(seed)
    arrays = [
        rng.standard_normal(t.shape) if t.dtype == "float32" else rng.integers(0, 3, t.shape)
        for t in before.inputs
    ]
    expected, got = before.evaluate(arrays), after.evaluate(arrays)
    assert len(expected) == len(got)
    for a, b in zip(expected, got, strict=True):
        assert a.shape == b.shape
        assert_allclose(b, a, rtol=rtol, atol=rtol * max(1e-6, float(np.abs(a).max())))


def apply(one: Callable[[Graph], bool], graph: Graph) -> Graph:
    """A copy of `graph` with the pass applied until it rests; the meaning must stay the same."""
    after = graph.copy()
    for _ in range(20):
        if not one(after):
            break
        after.validate()
    else:
        raise AssertionError("the pass does not come to rest")
    assert_same_meaning(graph, after)
    return after
