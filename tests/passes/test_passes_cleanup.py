"""Identities, constants and common subexpressions disappear; nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from passes_builder import Builder, apply, ops

from scanlet.graph import Tensor
from scanlet.graph.operators import (
    Binary,
    ChannelAffine,
    Concatenate,
    Flip,
    Operator,
    Pad,
    Pool1d,
    Reduce,
    Reshape,
    StridedSlice,
    Transpose,
)
from scanlet.passes.fold_constants import fold_constants
from scanlet.passes.remove_identities import remove_identities
from scanlet.passes.share_common import share_common

IDENTITIES: list[tuple[Operator, tuple]] = [
    (Reshape((1, 5, 3)), ()),
    (Transpose((0, 1, 2)), ()),
    (StridedSlice((0, 0, 0), (1, 5, 3), (1, 1, 1)), ()),
    (Concatenate(1), ()),
    (Flip(0), ()),
    (Pad(((0, 0), (0, 0), (0, 0))), ()),
    (Pool1d("max", 1, 1), ()),
    (Reduce("mean", (), keepdims=False), ()),
    (Binary("mul"), (np.ones(3),)),
    (Binary("div"), (np.ones(1),)),
    (Binary("add"), (np.zeros((1, 1, 3)),)),
    (Binary("sub"), (np.zeros(1),)),
    (ChannelAffine(2), (np.ones(3), np.zeros(3))),
]


@pytest.mark.parametrize(("op", "constants"), IDENTITIES, ids=lambda v: str(v)[:40])
def test_an_identity_in_the_middle_disappears(op: Operator, constants: tuple) -> None:
    b = Builder(1, 5, 3)
    middle = b(op, b.unary("tanh", b.x), *[b.value(c) for c in constants])
    after = apply(remove_identities, b.done(b.unary("relu", middle)))
    assert ops(after) == ["Unary", "Unary"]


@pytest.mark.parametrize("kind", ["add", "mul"])
def test_a_neutral_constant_on_the_left_disappears(kind: str) -> None:
    b = Builder(1, 5, 3)
    neutral = b.value(np.full(3, 0.0 if kind == "add" else 1.0))
    graph = b.done(b.unary("relu", b(Binary(kind), neutral, b.unary("tanh", b.x))))
    assert ops(apply(remove_identities, graph)) == ["Unary", "Unary"]


@pytest.mark.parametrize(
    ("kind", "left", "data"),
    [
        ("sub", True, np.zeros(3)),  # 0 - x
        ("div", True, np.ones(3)),  # 1 / x
        ("mul", False, np.array([1.0, 1.0, 2.0])),
        ("add", False, np.zeros((1, 5, 3))),  # broadcasts x of one step
    ],
)
def test_what_only_looks_like_an_identity_stays(kind: str, left: bool, data: np.ndarray) -> None:
    b = Builder(1, 1, 3)
    pair: list[Tensor] = [b.unary("exp", b.x), b.value(data)]
    graph = b.done(b(Binary(kind), *(pair[::-1] if left else pair)))
    assert ops(apply(remove_identities, graph)) == ["Unary", "Binary"]


def test_an_output_keeps_its_name_when_the_identity_that_computed_it_goes() -> None:
    b = Builder(1, 5, 3)
    graph = b.done(b.reshape(b.unary("relu", b.x), 1, 5, 3))
    after = apply(remove_identities, graph)
    assert ops(after) == ["Unary"]
    assert after.outputs[0].name == graph.outputs[0].name


def test_an_identity_straight_from_input_to_output_stays() -> None:
    b = Builder(1, 5, 3)
    assert ops(apply(remove_identities, b.done(b.reshape(b.x, 1, 5, 3)))) == ["Reshape"]


def test_two_outputs_do_not_become_one_tensor() -> None:
    b = Builder(1, 5, 3)
    y = b.unary("relu", b.x)
    after = apply(remove_identities, b.done(y, b.reshape(y, 1, 5, 3)))
    assert ops(after) == ["Unary", "Reshape"]


def test_reshapes_in_a_row_are_one() -> None:
    b = Builder(1, 6, 2)
    y = b.reshape(b.reshape(b.reshape(b.unary("exp", b.x), 1, 12), 3, 4), 1, 4, 3)
    assert ops(apply(remove_identities, b.done(y))) == ["Unary", "Reshape"]


def test_a_squeeze_behind_a_reduction_becomes_its_keepdims() -> None:
    b = Builder(1, 6, 2)
    squeezed = b.reshape(b.mean(b.x, 1, keepdims=True), 1, 2)
    unsqueezed = b.reshape(b.mean(b.x, 1), 1, 1, 2)
    after = apply(remove_identities, b.done(squeezed, unsqueezed))
    assert ops(after) == ["Reduce", "Reduce"]


def test_dead_nodes_disappear() -> None:
    b = Builder(1, 6, 2)
    b.linear(b.unary("tanh", b.x), 3)
    assert ops(apply(remove_identities, b.done(b.unary("relu", b.x)))) == ["Unary"]


def test_what_depends_on_constants_alone_is_evaluated() -> None:
    b = Builder(1, 4, 3)
    table = b.transpose(b.unary("exp", b.const(3, 4)), 1, 0)
    after = apply(fold_constants, b.done(b.add(b.x, table)))
    assert ops(after) == ["Binary"]
    data = after.nodes[0].inputs[1].data
    assert data is not None
    assert data.dtype == np.float64


def test_equal_computations_are_shared_but_mixers_are_not() -> None:
    b = Builder(1, 4, 3)
    a, c = b.unary("exp", b.x), b.unary("exp", b.x)
    y = b.mixer(a)
    node = b.graph.producer(y)
    assert node is not None
    z = b(node.op, c, *node.inputs[1:])
    after = apply(share_common, b.done(b.add(y, z)))
    assert ops(after) == ["Unary", "SelectiveSSM", "SelectiveSSM", "Binary"]


def test_equal_outputs_stay_apart() -> None:
    b = Builder(1, 4, 3)
    after = apply(share_common, b.done(b.unary("exp", b.x), b.unary("exp", b.x)))
    assert ops(after) == ["Unary", "Unary"]
