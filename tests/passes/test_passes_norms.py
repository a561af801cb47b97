"""Norms written by hand are recognised, and norms that are left are decomposed exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from passes_builder import Builder, apply, assert_same_meaning, kinds, ops

from scanlet.graph import Graph, Tensor
from scanlet.graph.operators import Binary, Norm, Reduce, Unary
from scanlet.passes import run
from scanlet.passes.decompose_norms import decompose_norms
from scanlet.passes.fold_affine import fold_affine
from scanlet.passes.recognise_norms import recognise_norms
from scanlet.passes.share_common import share_common

LENGTH, FEATURES = 5, 4


def both(graph: Graph) -> bool:
    return any([share_common(graph), recognise_norms(graph), fold_affine(graph)])


def root_mean_square(b: Builder, squared: Tensor, root: str = "rsqrt") -> Tensor:
    mean = b.mean(squared, 2, keepdims=True)
    return b.unary(root, b.add(mean, b.value([1e-5])))


RMS: dict[str, Callable[[Builder, Tensor, Tensor], Tensor]] = {
    "x * rsqrt * w": lambda b, x, w: b.mul(b.mul(x, root_mean_square(b, b.unary("square", x))), w),
    "w * (x * rsqrt), x * x": lambda b, x, w: b.mul(w, b.mul(x, root_mean_square(b, b.mul(x, x)))),
    "(x * w) * rsqrt": lambda b, x, w: b.mul(
        b.mul(x, w), root_mean_square(b, b.unary("square", x))
    ),
    "x * (rsqrt * w)": lambda b, x, w: b.mul(
        x, b.mul(root_mean_square(b, b.unary("square", x)), w)
    ),
    "x / sqrt * w": lambda b, x, w: b.mul(
        b(Binary("div"), x, root_mean_square(b, b.unary("square", x), "sqrt")), w
    ),
    "w * x * (1 / sqrt)": lambda b, x, w: b.mul(
        b.mul(w, x),
        b(Binary("div"), b.value([1.0]), root_mean_square(b, b.unary("square", x), "sqrt")),
    ),
}


@pytest.mark.parametrize("written", RMS, ids=list(RMS))
@pytest.mark.parametrize("bias", [False, True])
def test_rms_norm_is_recognised(written: str, bias: bool) -> None:
    b = Builder(1, LENGTH, FEATURES)
    y = RMS[written](b, b.x, b.const(FEATURES))
    if bias:
        y = b.add(y, b.const(FEATURES))
    after = apply(both, b.done(y))
    assert ops(after) == ["Norm"]
    assert after.nodes[0].op == Norm("rms", float(np.float32(1e-5)))
    assert len(after.nodes[0].inputs) == (3 if bias else 2)


def test_rms_norm_without_weight_and_eps_is_recognised() -> None:
    b = Builder(1, LENGTH, FEATURES)
    inverse = b.unary("rsqrt", b.mean(b.unary("square", b.x), 2, keepdims=True))
    after = apply(both, b.done(b.mul(inverse, b.x)))
    assert [node.op for node in after.nodes] == [Norm("rms", 0.0)]
    assert len(after.nodes[0].inputs) == 1


@pytest.mark.parametrize("variance", ["square", "squared_difference", "written twice"])
@pytest.mark.parametrize("affine", [False, True])
def test_layer_norm_is_recognised(variance: str, affine: bool) -> None:
    b = Builder(1, LENGTH, FEATURES)
    mean = b.mean(b.x, 2, keepdims=True)
    centred = b(Binary("sub"), b.x, mean)
    if variance == "square":
        squared = b.unary("square", centred)
    elif variance == "squared_difference":
        squared = b(Binary("squared_difference"), b.x, mean)
    else:
        squared = b.unary("square", b(Binary("sub"), b.x, b.mean(b.x, 2, keepdims=True)))
    y = b(Binary("div"), centred, root_mean_square(b, squared, "sqrt"))
    if affine:
        y = b.add(b.mul(y, b.const(FEATURES)), b.const(1, 1, FEATURES))
    after = apply(both, b.done(y))
    assert ops(after) == ["Norm"]
    assert kinds(after, Norm)[0].kind == "layer"
    assert len(after.nodes[0].inputs) == (3 if affine else 1)


def test_other_products_are_not_taken_for_norms() -> None:
    b = Builder(1, LENGTH, FEATURES)
    over_time = b.unary("rsqrt", b.mean(b.unary("square", b.x), 1, keepdims=True))
    of_another = root_mean_square(b, b.unary("square", b.unary("exp", b.x)))
    summed = b.unary("rsqrt", b(Reduce("sum", (2,), True), b.unary("square", b.x)))
    a, c, d = (b.mul(b.x, factor) for factor in (over_time, of_another, summed))
    after = apply(both, b.done(a, c, d))
    assert "Norm" not in ops(after)


@pytest.mark.parametrize("kind", ["layer", "rms"])
@pytest.mark.parametrize("parts", [0, 1, 2])
def test_a_norm_that_is_left_is_decomposed(kind: str, parts: int) -> None:
    b = Builder(1, LENGTH, FEATURES)
    graph = b.done(b.norm(b.x, kind, parts))
    after = apply(decompose_norms, graph)
    assert "Norm" not in ops(after)
    legal = run(graph)
    assert_same_meaning(graph, legal)
    assert set(ops(legal)) <= {"Binary", "Unary", "Reduce"}
    assert Unary("rsqrt") in [node.op for node in legal.nodes]
