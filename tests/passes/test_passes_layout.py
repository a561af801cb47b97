"""Transposes cancel and flips sink, without changing a value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from passes_builder import Builder, apply, assert_same_meaning, kinds, ops

from scanlet.graph import Graph, Tensor
from scanlet.graph.operators import (
    Binary,
    ChannelAffine,
    Concatenate,
    Conv1d,
    Gather,
    Norm,
    Pad,
    Pool1d,
    Reduce,
    SelectiveSSM,
    Softmax,
    StridedSlice,
    Transpose,
)
from scanlet.passes import run
from scanlet.passes.cancel_transposes import cancel_transposes
from scanlet.passes.remove_identities import remove_identities
from scanlet.passes.sink_flips import lower_flips, sink_flips
from scanlet.passes.use_reshapes import use_reshapes


def cancel(graph: Graph) -> bool:
    return any([cancel_transposes(graph), remove_identities(graph)])


def test_a_convolution_stem_loses_its_transposes() -> None:
    b = Builder(1, 3, 9)  # torch's (1, C, L)
    h = b.transpose(b.x, 0, 2, 1)
    h = b.transpose(b(Conv1d(), h, b.const(4, 3, 3)), 0, 2, 1)
    h = b(ChannelAffine(1), h, b.const(4), b.const(4))
    h = b.unary("relu", b.mul(h, b.const(4, 1)))
    h = b.transpose(b(Conv1d(), b.transpose(h, 0, 2, 1), b.const(2, 3, 4)), 0, 2, 1)
    h = b(Reduce("max", (2,)), h)
    after = apply(cancel, b.done(h))
    assert ops(after).count("Transpose") == 1  # the one that torch's input layout needs


PASSABLE: dict[str, Callable[[Builder, Tensor, tuple[int, ...]], Tensor]] = {
    "unary": lambda b, t, _: b.unary("tanh", t),
    "vector along an axis": lambda b, t, _: b.add(t, b.const(t.shape[1], 1)),
    "full constant": lambda b, t, _: b(Binary("sub"), b.const(*t.shape), t),
    "scalar": lambda b, t, _: b.mul(t, b.const()),
    "equal transposes": lambda b, t, perm: b.mul(t, b.transpose(b.unary("abs", b.x), *perm)),
    "affine": lambda b, t, _: b(ChannelAffine(1), t, b.const(t.shape[1]), b.const(t.shape[1])),
    "concatenate": lambda b, t, perm: b(
        Concatenate(2), t, b.transpose(b.x, *perm), b.const(*t.shape)
    ),
    "slice": lambda b, t, _: b(StridedSlice((0, 1, 0), t.shape, (1, 1, 2)), t),
    "pad": lambda b, t, _: b(Pad(((0, 1), (2, 0), (0, 0))), t),
    "reduce": lambda b, t, _: b(Reduce("max", (0, 2), True), t),
    "square": lambda b, t, _: b.mul(t, t),
}


@pytest.mark.parametrize("perm", [(0, 2, 1), (2, 0, 1), (1, 0, 2), (2, 1, 0)])
@pytest.mark.parametrize("operator", PASSABLE, ids=list(PASSABLE))
def test_a_transpose_moves_behind(operator: str, perm: tuple[int, ...]) -> None:
    b = Builder(2, 3, 4)
    y = PASSABLE[operator](b, b.transpose(b.unary("exp", b.x), *perm), perm)
    back = tuple(int(axis) for axis in np.argsort(perm))
    after = apply(cancel, b.done(b.transpose(y, *back)))
    assert "Transpose" not in ops(after)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (0, 1)])
def test_a_transpose_behind_a_reduction_permutes_what_is_left(axes: tuple[int, ...]) -> None:
    b = Builder(2, 3, 4)
    y = b(Reduce("sum", axes), b.transpose(b.x, 2, 0, 1))
    after = apply(cancel, b.done(y))
    assert ops(after)[0] == "Reduce"


def test_features_that_stay_last_let_norm_softmax_and_linear_pass() -> None:
    b = Builder(2, 3, 4)
    h = b.linear(b.norm(b.transpose(b.x, 1, 0, 2), parts=2), 5)
    after = apply(cancel, b.done(b.transpose(b(Softmax(), h), 1, 0, 2)))
    assert "Transpose" not in ops(after)
    b = Builder(1, 3, 4)
    y = b.transpose(b(Softmax(), b.transpose(b.x, 0, 2, 1)), 0, 2, 1)
    z = b.transpose(b.linear(b.transpose(b.x, 0, 2, 1), 3), 0, 2, 1)
    w = b.transpose(b(Pool1d("max", 2, 2), b.transpose(b.x, 0, 2, 1)), 0, 2, 1)
    after = apply(cancel, b.done(y, z, w))
    assert ops(after).count("Transpose") == 6


def test_operands_in_different_layouts_block() -> None:
    b = Builder(1, 3, 3)
    y = b.add(b.transpose(b.x, 0, 2, 1), b.unary("exp", b.x))
    assert ops(apply(cancel, b.done(y))).count("Transpose") == 1


def test_a_residual_block_between_transposes_loses_both() -> None:
    b = Builder(1, 6, 4)
    t = b.transpose(b.unary("exp", b.x), 0, 2, 1)
    branch = b.unary("tanh", t)
    conv = b(Conv1d(padding=(1, 1)), b.transpose(t, 0, 2, 1), b.const(4, 3, 4))
    total = b.add(b.add(t, branch), b.transpose(conv, 0, 2, 1))
    after = apply(cancel, b.done(b.transpose(total, 0, 2, 1)))
    assert "Transpose" not in ops(after)


def test_a_transpose_with_several_readers_is_not_multiplied() -> None:
    b = Builder(1, 6, 4)
    t = b.transpose(b.x, 0, 2, 1)
    after = apply(cancel, b.done(b.unary("tanh", t), b.unary("exp", t), b.unary("abs", t)))
    assert ops(after).count("Transpose") == 1


def test_a_transpose_of_single_elements_is_a_reshape() -> None:
    b = Builder(1, 6, 1)
    after = apply(use_reshapes, b.done(b.transpose(b.unary("exp", b.x), 0, 2, 1)))
    assert ops(after) == ["Unary", "Reshape"]
    b = Builder(1, 1, 6)
    assert ops(apply(use_reshapes, b.done(b.mean(b.unary("exp", b.x), 1)))) == ["Unary", "Reshape"]
    b = Builder(1, 2, 6)
    after = apply(use_reshapes, b.done(b.transpose(b.x, 0, 2, 1)))
    assert ops(after) == ["Transpose"]


# -- flips -------------------------------------------------------------------------------------
def test_two_flips_cancel() -> None:
    b = Builder(1, 6, 4)
    y = b.unary("exp", b.flip(b.unary("tanh", b.flip(b.x))))
    assert ops(apply(sink_flips, b.done(y))) == ["Unary", "Unary"]


def test_flips_around_a_mixer_are_its_option() -> None:
    b = Builder(1, 6, 4)
    after = apply(sink_flips, b.done(b.flip(b.mixer(b.flip(b.x)))))
    assert ops(after) == ["SelectiveSSM"]
    assert kinds(after, SelectiveSSM)[0].reverse


def test_a_flip_ahead_of_a_reversed_mixer_makes_it_run_forward() -> None:
    b = Builder(1, 6, 4)
    after = apply(sink_flips, b.done(b.flip(b.mixer(b.flip(b.x), reverse=True))))
    assert not kinds(after, SelectiveSSM)[0].reverse


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_flip_ahead_of_a_pooled_mixer_leaves_none_behind(pooling: str) -> None:
    b = Builder(1, 6, 4)
    after = apply(sink_flips, b.done(b.mixer(b.flip(b.x), pooling=pooling)))
    assert ops(after) == ["SelectiveSSM"]


def test_a_backward_branch_with_pre_norm_residual_becomes_one_reversed_mixer() -> None:
    b = Builder(1, 6, 4)
    f = b.flip(b.linear(b.x, 4))
    backward = b.flip(b.add(f, b.mixer(b.norm(f))))
    graph = b.done(backward)
    after = apply(sink_flips, graph)
    assert "Flip" not in ops(after)
    legal = run(graph)
    assert_same_meaning(graph, legal)
    assert ops(legal) == ["SelectiveSSM"]
    (op,) = kinds(legal, SelectiveSSM)
    assert op.reverse
    assert op.residual
    assert op.norm == "rms"
    assert "input_weight" in op.weights


def test_flip_sinks_through_everything_that_treats_steps_alike() -> None:
    b = Builder(1, 6, 4)
    h = b.norm(b.linear(b.flip(b.x), 3), parts=2)
    h = b(ChannelAffine(2), b.unary("silu", h), b.const(3), b.const(3))
    h = b.add(b.mul(h, b.const(6, 1)), b.const(1, 1, 3))
    h = b(Concatenate(2), h, b.flip(b.x))
    h = b(Binary("sub"), h, b.flip(b.linear(b.x, 7)))
    h = b.transpose(h, 0, 2, 1)
    after = apply(sink_flips, b.done(b.flip(h, 2)))
    assert "Flip" not in ops(after)


def test_a_reduction_over_the_flipped_axis_swallows_it_and_another_does_not() -> None:
    b = Builder(1, 6, 4)
    swallowed = apply(sink_flips, b.done(b.mean(b.flip(b.x), 1)))
    assert ops(swallowed) == ["Reduce"]
    b = Builder(1, 6, 4)
    kept = apply(sink_flips, b.done(b.mean(b.flip(b.x, 2), 1)))
    assert ops(kept) == ["Reduce", "Flip"]


@pytest.mark.parametrize(("begin", "end", "stride"), [(0, 1, 1), (5, 6, 1), (1, 6, 2), (2, 4, 1)])
def test_a_slice_of_a_flip_is_the_mirrored_slice(begin: int, end: int, stride: int) -> None:
    b = Builder(1, 6, 4)
    op = StridedSlice((0, begin, 0), (1, end, 4), (1, stride, 1))
    after = apply(sink_flips, b.done(b(op, b.flip(b.x))))
    assert ops(after)[0] == "StridedSlice"
    assert ("Flip" in ops(after)) == (op.infer_shape((1, 6, 4))[1] > 1)


def test_operators_along_the_flipped_axis_block() -> None:
    b = Builder(1, 6, 4)
    y = b(Norm("rms", 1e-5), b.flip(b.x, 2))
    z = b.linear(b.flip(b.x, 2), 2)
    w = b.reshape(b.flip(b.x), 1, 24)
    after = apply(sink_flips, b.done(y, z, w))
    assert ops(after).count("Flip") == 3


def test_a_flip_with_readers_that_cannot_take_it_is_not_multiplied() -> None:
    b = Builder(1, 6, 4)
    f = b.flip(b.x)
    y, z = b.unary("exp", f), b.unary("tanh", f)
    after = apply(sink_flips, b.done(y, z, b.reshape(f, 1, 24)))
    assert ops(after).count("Flip") == 1


def test_a_flip_that_is_left_is_a_gather() -> None:
    b = Builder(1, 6, 4)
    graph = b.done(b.add(b.mixer(b.x), b.flip(b.x)))
    after = apply(lower_flips, graph)
    assert kinds(after, Gather) == [Gather(1)]
    indices = next(node for node in after.nodes if node.op == Gather(1)).inputs[1]
    assert indices.dtype == "int32"
    assert indices.data is not None
    assert indices.data.dtype == np.int32
    assert kinds(run(graph), Transpose) == []
