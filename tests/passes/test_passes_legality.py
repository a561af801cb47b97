"""Lowering to what TFLite Micro has, and refusing by name what it has not."""

# ruff: noqa: ARG005 (tables of functions with one signature)
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passes_builder import Builder, apply, assert_same_meaning, kinds, ops

from scanlet.errors import GraphError, UnsupportedModelError
from scanlet.graph import Tensor
from scanlet.graph.operators import Binary, Concatenate, Conv1d, Linear, Pad, Transpose, Unary
from scanlet.passes import Fusion, is_same_padding, run
from scanlet.passes.check_legal import LEGAL_OPERATORS, LEGAL_UNARY, check_legal
from scanlet.passes.decompose_activations import decompose_activations
from scanlet.passes.explicit_padding import explicit_padding, same_padding
from scanlet.passes.limit_concatenation import limit_concatenation
from scanlet.passes.limit_rank import limit_rank
from scanlet.passes.pipeline import apply_until_stable


@pytest.mark.parametrize(("kind", "count"), [("silu", 2), ("gelu_tanh", 6)])
def test_silu_and_tanh_gelu_are_decomposed_exactly(kind: str, count: int) -> None:
    b = Builder(1, 50, 4)
    after = apply(decompose_activations, b.done(b.unary(kind, b.mul(b.x, b.value([3.0])))))
    assert len(after.nodes) == count + 1
    assert {op.kind for op in kinds(after, Unary)} <= LEGAL_UNARY


def test_erf_gelu_stays() -> None:
    b = Builder(1, 5, 4)
    assert [node.op for node in run(b.done(b.unary("gelu", b.x))).nodes] == [Unary("gelu")]


# TFLite's SAME for (length, kernel, stride, dilation), worked out by hand from its definition:
# ceil(length / stride) outputs, the zeros halved, the odd one on the right.
SAME = [
    ((7, 3, 1, 1), (1, 1)),
    ((7, 4, 1, 1), (1, 2)),
    ((8, 3, 2, 1), (0, 1)),
    ((7, 3, 2, 1), (1, 1)),
    ((9, 3, 1, 2), (2, 2)),
    ((6, 1, 1, 1), (0, 0)),
    ((9, 5, 4, 1), (2, 2)),
    ((8, 2, 4, 1), (0, 0)),
]


@pytest.mark.parametrize(("shape", "padding"), SAME)
def test_same_padding_is_tflites(shape: tuple[int, int, int, int], padding: tuple) -> None:
    length, kernel, stride, dilation = shape
    op = Conv1d(stride, padding, dilation)
    assert same_padding(op, length, kernel) == padding
    assert is_same_padding(op, length, kernel)
    assert not is_same_padding(
        Conv1d(stride, (padding[0] + 1, padding[1]), dilation), length, kernel
    )


@pytest.mark.parametrize(
    ("stride", "padding", "expected"),
    [
        (1, (1, 1), ["Conv1d"]),
        (1, (0, 0), ["Conv1d"]),
        (1, (2, 0), ["Pad", "Conv1d"]),
        (1, (2, 2), ["Pad", "Conv1d"]),
        (2, (1, 1), ["Pad", "Conv1d"]),  # torch's usual padding; SAME of 8 is (0, 1)
        (2, (0, 1), ["Conv1d"]),
    ],
)
@pytest.mark.parametrize("groups", [1, 4])
def test_padding_becomes_explicit_unless_tflite_pads_alike(
    stride: int, padding: tuple[int, int], expected: list[str], groups: int
) -> None:
    b = Builder(1, 8, 4)
    y = b(Conv1d(stride, padding, 1, groups), b.x, b.const(8, 3, 4 // groups), b.const(8))
    after = apply(explicit_padding, b.done(y))
    assert ops(after) == expected
    if "Pad" in expected:
        assert kinds(after, Pad) == [Pad(((0, 0), padding, (0, 0)))]
    assert_same_meaning(after, run(b.graph))


@pytest.mark.parametrize("count", [10, 11, 25, 101])
def test_concatenations_have_at_most_ten_inputs(count: int) -> None:
    b = Builder(1, 2, 3)
    parts = [b.mul(b.x, b.const(1)) for _ in range(count)]
    after = apply(limit_concatenation, b.done(b(Concatenate(1), *parts)))
    widths = [len(node.inputs) for node in after.nodes if isinstance(node.op, Concatenate)]
    assert max(widths) <= 10
    assert sum(widths) - len(widths) + 1 == count


@pytest.mark.parametrize(
    ("shape", "other"),
    [
        ((1, 2, 3, 4, 5), (5,)),
        ((1, 2, 3, 4, 5), (1, 2, 1, 1, 5)),
        ((1, 2, 3, 4, 5), (3, 1, 1)),
        ((2, 3, 2, 2, 2), (2, 1, 2, 2, 2)),
        ((1, 1, 3, 2, 1, 5), (3, 2, 4, 1)),
    ],
)
def test_broadcasting_over_five_axes_is_reshaped_to_four(shape: tuple, other: tuple) -> None:
    b = Builder(*shape)
    y = b(Binary("sub"), b.unary("exp", b.x), b.const(*other))
    after = apply(limit_rank, b.done(y))
    (node,) = [node for node in after.nodes if isinstance(node.op, Binary)]
    assert max(len(tensor.shape) for tensor in node.inputs) <= 4


def refused(b: Builder, y: Tensor) -> str:
    y_node = b.graph.producer(y)
    assert y_node is not None
    y_node.source = type(y_node.source)("net.odd", "model.py:3")
    with pytest.raises(UnsupportedModelError, match=r"net\.odd") as error:
        run(b.done(y))
    return str(error.value)


def test_what_cannot_be_lowered_is_refused_with_its_module() -> None:
    b = Builder(1, 8, 4)
    assert "group" in refused(b, b(Conv1d(groups=2), b.x, b.const(4, 3, 2)))
    b = Builder(2, 3, 2, 3, 2)
    assert "rank" in refused(b, b.add(b.x, b.const(2, 1, 2, 1, 2)))
    b = Builder(2, 2, 2, 2, 2, 2)
    assert "rank 6" in refused(b, b(Transpose((5, 4, 3, 2, 1, 0)), b.x))
    b = Builder(1, 4, 3)
    assert "tanh" in refused(b, b(Linear("tanh"), b.x, b.const(2, 3)))


def test_an_input_or_a_constant_that_is_returned_is_refused() -> None:
    b = Builder(1, 4, 3)
    with pytest.raises(UnsupportedModelError, match="'x' is not computed"):
        run(b.done(b.x))
    y = b.unary("relu", b.x)
    with pytest.raises(UnsupportedModelError, match="twice"):
        run(b.done(y, y))


def test_illegal_operators_do_not_slip_through_the_last_check() -> None:
    for y in (
        lambda b: b.flip(b.x),
        lambda b: b.norm(b.x),
        lambda b: b.unary("silu", b.x),
        lambda b: b(Conv1d(padding=(2, 0)), b.x, b.const(2, 3, 3)),
        lambda b: b(Concatenate(1), *[b.x] * 11),
    ):
        b = Builder(1, 5, 3)
        with pytest.raises(UnsupportedModelError):
            check_legal(b.done(y(b)))


def test_passes_that_do_not_come_to_rest_are_a_defect() -> None:
    b = Builder(1, 5, 3)
    graph = b.done(b.unary("relu", b.x))
    with pytest.raises(GraphError, match="do not come to an end"):
        apply_until_stable(graph, (lambda _: True,))


# -- random graphs -----------------------------------------------------------------------------
STEPS = [
    lambda b, h, n: b.linear(h, n + 1, bias=n % 2 == 0),
    lambda b, h, n: b.unary(["relu", "relu6", "tanh", "silu", "gelu_tanh", "sigmoid"][n], h),
    lambda b, h, n: b.norm(h, ["rms", "layer"][n % 2], n % 3),
    lambda b, h, n: b.mul(h, b.const(h.shape[-1])),
    lambda b, h, n: b.add(h, b.const(*[(), (1,), (h.shape[1], 1), h.shape][n % 4])),
    lambda b, h, n: b.transpose(h, 0, 2, 1),
    lambda b, h, n: b.transpose(h, 0, 2, 1),
    lambda b, h, n: b.flip(h, 1 + n % 2),
    lambda b, h, n: b.mixer(h, biases=n % 2 == 0),
    lambda b, h, n: b.flip(b.mixer(b.flip(h))),
    lambda b, h, n: b.add(h, b.mixer(b.norm(h))),
    lambda b, h, n: b.add(h, b.add(b.mixer(h), b.flip(b.mixer(b.flip(h))))),
    lambda b, h, n: b(Concatenate(2), b.mixer(h), b.flip(b.mixer(b.flip(h), d_out=n + 1))),
    lambda b, h, n: b.add(b.linear(h, h.shape[-1]), h),
    lambda b, h, n: b(Concatenate(1 + n % 2), h, b.unary("abs", h)),
    lambda b, h, n: b(Conv1d(1, (n % 3, 2)), h, b.const(n + 1, 3, h.shape[2]), b.const(n + 1)),
    lambda b, h, n: b(Binary("sub"), b.value([1.0]), h),
    lambda b, h, n: b.mul(h, b.unary("sigmoid", b.mean(h, 1 + n % 2, keepdims=True))),
]  # fmt: skip
ENDS = [
    lambda b, h: h,
    lambda b, h: b.mean(h, 1),
    lambda b, h: b.mean(h, 2, keepdims=True),
    lambda b, h: b.linear(b.reshape(b.step(h, h.shape[1] - 1), 1, h.shape[2]), 3),
    lambda b, h: b.linear(b.mean(b.linear(h, 4), 1), 3),
    lambda b, h: b.reshape(h, 1, h.size),
]  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 5)), max_size=7),
    end=st.integers(0, len(ENDS) - 1),
    length=st.integers(1, 5),
    features=st.integers(1, 4),
    seed=st.integers(0, 99),
    fusion=st.builds(Fusion, *[st.booleans()] * 4),
)
def test_any_network_is_lowered_without_changing_its_meaning(
    steps: list[tuple[int, int]], end: int, length: int, features: int, seed: int, fusion: Fusion
) -> None:
    b = Builder(1, length, features, seed=seed)
    h = b.unary("tanh", b.x)
    for step, n in steps:
        h = STEPS[step](b, h, n)
    graph = b.done(ENDS[end](b, h))
    legal = run(graph, fusion=fusion)
    assert all(isinstance(node.op, LEGAL_OPERATORS) for node in legal.nodes)
    assert {op.kind for op in kinds(legal, Unary)} <= LEGAL_UNARY
    # LayerNorm of nearly equal features magnifies rounding: compare where that cannot matter.
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(graph.inputs[0].shape)
    (expected,), (got,) = graph.evaluate([x]), legal.evaluate([x])
    (nudged,) = graph.evaluate([x * (1 + 1e-13)])
    scale = float(np.abs(expected).max())
    rounding = float(np.abs(nudged - expected).max())
    assert np.abs(got - expected).max() <= 1e-9 * max(scale, 1e-6) + 10 * rounding
