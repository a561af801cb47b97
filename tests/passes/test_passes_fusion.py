"""What joins a mixer, what blocks it, and that the meaning stays the same."""

from __future__ import annotations

import numpy as np
import pytest
from passes_builder import Builder, apply, assert_same_meaning, kinds, ops

from scanlet.graph import Graph, Tensor
from scanlet.graph.operators import Concatenate, Linear, Reduce, SelectiveSSM
from scanlet.passes import Fusion, multiplies_per_sequence, multiplies_per_step, run
from scanlet.passes.compose_linears import compose_input_linear, compose_output_linear
from scanlet.passes.fuse_activation import fuse_activation
from scanlet.passes.fuse_into_ssm import fuse_input_linears, fuse_norms, fuse_residuals
from scanlet.passes.fuse_pooling import fuse_pooling
from scanlet.passes.hoist_pooling import hoist_pooling, split_pooling


def ssm(graph: Graph) -> SelectiveSSM:
    (op,) = kinds(graph, SelectiveSSM)
    return op


def lowered(graph: Graph, **fusion: bool) -> Graph:
    legal = run(graph, fusion=Fusion(**fusion))
    assert_same_meaning(graph, legal)
    return legal


# -- norm --------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["layer", "rms"])
@pytest.mark.parametrize("parts", [0, 1, 2])
def test_a_norm_joins_the_mixer_that_alone_reads_it(kind: str, parts: int) -> None:
    b = Builder(1, 5, 3)
    after = apply(fuse_norms, b.done(b.mixer(b.norm(b.x, kind, parts))))
    assert ops(after) == ["SelectiveSSM"]
    assert ssm(after).norm == kind


def test_a_norm_that_two_mixers_read_joins_both() -> None:
    b = Builder(1, 5, 3)
    n = b.norm(b.x)
    after = apply(fuse_norms, b.done(b.add(b.mixer(n), b.mixer(n, reverse=True))))
    assert ops(after) == ["SelectiveSSM", "SelectiveSSM", "Binary"]


def test_a_norm_with_another_reader_stays() -> None:
    b = Builder(1, 5, 3)
    n = b.norm(b.x)
    assert ops(apply(fuse_norms, b.done(b.mixer(n), b.unary("exp", n))))[0] == "Norm"
    b = Builder(1, 5, 3)
    n = b.norm(b.x)
    assert ops(apply(fuse_norms, b.done(b.mixer(n), n)))[0] == "Norm"


def test_a_norm_ahead_of_the_residual_stays_outside() -> None:
    b = Builder(1, 5, 3)
    n = b.norm(b.x)
    legal = lowered(b.done(b.add(n, b.mixer(n))))
    assert ssm(legal).residual
    assert ssm(legal).norm is None


def test_only_one_of_two_norms_joins() -> None:
    b = Builder(1, 5, 3)
    after = apply(fuse_norms, b.done(b.mixer(b.norm(b.norm(b.x), "layer"))))
    assert ops(after) == ["Norm", "SelectiveSSM"]


# -- residual ----------------------------------------------------------------------------------
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("norm", [None, "rms"])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_residual_sum_joins(left: bool, norm: str | None, reverse: bool) -> None:
    b = Builder(1, 5, 3)
    y = b.mixer(b.x, norm=norm, norm_eps=1e-5, reverse=reverse)
    after = apply(fuse_residuals, b.done(b.add(y, b.x) if left else b.add(b.x, y)))
    assert ops(after) == ["SelectiveSSM"]
    assert ssm(after).residual


def test_residuals_of_a_stack_of_pre_norm_blocks_join() -> None:
    b = Builder(1, 5, 3)
    h = b.linear(b.x, 4)
    for _ in range(3):
        h = b.add(h, b.mixer(b.norm(h)))
    legal = lowered(b.done(b.linear(b.mean(b.norm(h), 1), 2)))
    mixers = kinds(legal, SelectiveSSM)
    assert [op.residual for op in mixers] == [True] * 3
    assert [op.norm for op in mixers] == ["rms"] * 3
    assert "input_weight" in mixers[0].weights
    assert mixers[2].pooling is None  # a norm stands between


def test_a_bidirectional_block_keeps_its_residual_in_one_mixer() -> None:
    b = Builder(1, 5, 3)
    n = b.norm(b.x)
    both = b.add(b.mixer(n), b.flip(b.mixer(b.flip(n))))
    legal = lowered(b.done(b.add(both, b.x)))
    assert ops(legal) == ["SelectiveSSM", "SelectiveSSM", "Binary"]
    assert sorted(op.residual for op in kinds(legal, SelectiveSSM)) == [False, True]


def test_a_sum_with_something_else_or_a_second_reader_is_no_residual() -> None:
    b = Builder(1, 5, 3)
    h = b.unary("exp", b.x)
    y = b.mixer(h)
    assert not ssm(apply(fuse_residuals, b.done(b.add(b.x, y)))).residual
    b = Builder(1, 5, 3)
    y = b.mixer(b.x)
    assert not ssm(apply(fuse_residuals, b.done(b.add(b.x, y), y))).residual
    b = Builder(1, 5, 3)
    y = b.mixer(b.x)
    assert not ssm(apply(fuse_residuals, b.done(b.add(y, y)))).residual


def test_a_residual_that_broadcasts_is_none() -> None:
    b = Builder(1, 1, 1)
    y = b.mixer(b.x, d_out=3)
    assert not ssm(apply(fuse_residuals, b.done(b.add(b.x, y)))).residual


# -- pooling -----------------------------------------------------------------------------------
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_the_mean_over_time_joins(keepdims: bool, reverse: bool, residual: bool) -> None:
    b = Builder(1, 5, 3)
    y = b.mixer(b.x, reverse=reverse, residual=residual, biases=True)
    after = apply(fuse_pooling, b.done(b.mean(y, 1, keepdims=keepdims)))
    assert ops(after) == ["SelectiveSSM"] + ["Reshape"] * keepdims
    assert ssm(after).pooling == "mean"


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("index", [0, 2, 4])
def test_the_step_that_is_computed_last_joins_and_no_other(reverse: bool, index: int) -> None:
    b = Builder(1, 5, 3)
    y = b.step(b.mixer(b.x, residual=True, reverse=reverse), index)
    after = apply(fuse_pooling, b.done(b.reshape(y, 1, 3)))
    fuses = index == (0 if reverse else 4)
    assert ssm(after).pooling == ("last" if fuses else None)


@pytest.mark.parametrize("kind", ["max", "sum"])
def test_other_reductions_stay(kind: str) -> None:
    b = Builder(1, 5, 3)
    after = apply(fuse_pooling, b.done(b(Reduce(kind, (1,)), b.mixer(b.x))))
    assert ops(after) == ["SelectiveSSM", "Reduce"]


def test_a_second_reader_of_the_sequence_blocks_pooling() -> None:
    b = Builder(1, 5, 3)
    y = b.mixer(b.x)
    assert ssm(apply(fuse_pooling, b.done(b.mean(y, 1), y))).pooling is None
    b = Builder(1, 5, 3)
    y = b.mixer(b.x)
    after = apply(fuse_pooling, b.done(b.mean(y, 1), b(Reduce("max", (1,)), y)))
    assert ssm(after).pooling is None


def test_a_norm_blocks_the_mean_but_not_the_last_step() -> None:
    b = Builder(1, 5, 3)
    assert ssm(lowered(b.done(b.mean(b.norm(b.mixer(b.x)), 1)))).pooling is None
    b = Builder(1, 5, 3)
    y = b.reshape(b.step(b.norm(b.mixer(b.x)), 4), 1, 3)
    assert ssm(lowered(b.done(b.linear(y, 2)))).pooling == "last"


def test_pooling_moves_ahead_of_the_layers_between() -> None:
    b = Builder(1, 5, 3)
    h = b.add(b.linear(b.mixer(b.x, residual=True), 4), b.const(4))
    after = apply(hoist_pooling, b.done(b.mean(b.mul(h, b.const(1, 1, 4)), 1)))
    assert ops(after)[:2] == ["SelectiveSSM", "Reduce"]
    b = Builder(1, 5, 3)
    h = b.norm(b.unary("silu", b.linear(b.mixer(b.x, residual=True), 4, activation="relu")))
    after = apply(hoist_pooling, b.done(b.step(h, 4)))
    assert ops(after)[:2] == ["SelectiveSSM", "StridedSlice"]


def test_a_mean_does_not_move_ahead_of_what_is_not_linear() -> None:
    for middle in (
        lambda b, h: b.unary("relu", h),
        lambda b, h: b.norm(h),
        lambda b, h: b.linear(h, 4, activation="relu"),
        lambda b, h: b.mul(h, b.const(5, 1)),  # a weighted mean
    ):
        b = Builder(1, 5, 3)
        graph = b.done(b.mean(middle(b, b.mixer(b.x)), 1))
        assert ops(apply(hoist_pooling, graph)) == ops(graph)


@pytest.mark.parametrize("joined", ["add", "concatenate"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_the_mean_of_both_directions_is_pooled_in_each(joined: str, keepdims: bool) -> None:
    b = Builder(1, 5, 3)
    forward, backward = b.mixer(b.x), b.flip(b.mixer(b.flip(b.x)))
    y = b.add(forward, backward) if joined == "add" else b(Concatenate(2), forward, backward)
    graph = b.done(b.mean(y, 1, keepdims=keepdims))
    legal = lowered(graph)
    assert [op.pooling for op in kinds(legal, SelectiveSSM)] == ["mean", "mean"]


def test_the_last_step_of_both_directions_is_pooled_where_it_is_computed_last() -> None:
    b = Builder(1, 5, 3)
    y = b(Concatenate(2), b.mixer(b.x), b.mixer(b.x, d_out=4, reverse=True))
    legal = lowered(b.done(b.reshape(b.step(y, 4), 1, 7)))
    assert [op.pooling for op in kinds(legal, SelectiveSSM)] == ["last", None]


def test_the_mean_of_a_mixer_and_something_else_is_not_split() -> None:
    b = Builder(1, 5, 3)
    graph = b.done(b.mean(b.add(b.mixer(b.x), b.unary("exp", b.x)), 1))
    assert ops(apply(split_pooling, graph)) == ops(graph)


# -- linear layers -----------------------------------------------------------------------------
@pytest.mark.parametrize(("features", "fires"), [(2, True), (40, False)])
@pytest.mark.parametrize("bias", [False, True])
def test_an_input_linear_is_composed_where_that_multiplies_less(
    features: int, fires: bool, bias: bool
) -> None:
    b = Builder(1, 5, features)  # d_model 4, 2E = 16: F 16 < F 4 + 64 up to F = 5
    graph = b.done(b.mixer(b.linear(b.x, 4, bias=bias), d_inner=8, biases=True))
    after = apply(compose_input_linear, graph)
    assert ops(after) == (["SelectiveSSM"] if fires else ["Linear", "SelectiveSSM"])
    assert multiplies_per_step(after) <= multiplies_per_step(graph)
    legal = lowered(graph)
    assert ops(legal) == ["SelectiveSSM"]
    assert ("input_weight" in ssm(legal).weights) == (not fires)


def test_an_input_linear_of_two_mixers_counts_both() -> None:
    b = Builder(1, 5, 4)
    h = b.linear(b.x, 4)
    graph = b.done(b.add(b.mixer(h, d_inner=8), b.mixer(h, d_inner=8, reverse=True)))
    after = apply(compose_input_linear, graph)
    assert ops(after) == ["SelectiveSSM", "SelectiveSSM", "Binary"]
    assert multiplies_per_step(after) < multiplies_per_step(graph)


@pytest.mark.parametrize("residual", [False, True])
def test_an_input_linear_with_norm_or_residual_becomes_the_operators_own(residual: bool) -> None:
    b = Builder(1, 5, 2)
    h = b.linear(b.x, 4)
    y = b.mixer(b.norm(h))
    legal = lowered(b.done(b.add(h, y) if residual else y))
    assert ops(legal) == ["SelectiveSSM"]
    assert ssm(legal).weights[:3] == ("input_weight", "input_bias", "norm_weight")


@pytest.mark.parametrize("other", ["activation", "output", "reader"])
def test_an_input_linear_that_is_needed_outside_stays(other: str) -> None:
    b = Builder(1, 5, 2)
    h = b.linear(b.x, 4, activation="relu" if other == "activation" else None)
    y = b.mixer(h, d_inner=8)
    extra = {"activation": [], "output": [h], "reader": [b.unary("exp", h)]}[other]
    graph = b.done(y, *extra)
    for one in (compose_input_linear, fuse_input_linears):
        assert ops(apply(one, graph))[0] == "Linear"


@pytest.mark.parametrize("pooling", [None, "mean"])
def test_an_output_linear_is_composed_with_out_proj_where_that_multiplies_less(
    pooling: str | None,
) -> None:
    b = Builder(1, 5, 4)
    graph = b.done(b.linear(b.mixer(b.x, biases=True, pooling=pooling), 2))
    assert ops(apply(compose_output_linear, graph)) == ["SelectiveSSM"]
    b = Builder(1, 5, 4)
    graph = b.done(b.linear(b.mixer(b.x, d_inner=8, pooling=pooling), 40))
    assert ops(apply(compose_output_linear, graph)) == ["SelectiveSSM", "Linear"]


def test_a_residual_or_second_reader_blocks_composing_out_proj() -> None:
    b = Builder(1, 5, 4)
    graph = b.done(b.linear(b.mixer(b.x, residual=True), 2))
    assert ops(apply(compose_output_linear, graph)) == ["SelectiveSSM", "Linear"]
    b = Builder(1, 5, 4)
    y = b.mixer(b.x)
    assert ops(apply(compose_output_linear, b.done(b.linear(y, 2), y)))[1] == "Linear"


# -- options -----------------------------------------------------------------------------------
def block() -> Graph:
    b = Builder(1, 5, 40)
    h = b.linear(b.x, 4)
    return b.done(b.mean(b.add(h, b.mixer(b.norm(h, "layer", 2), d_inner=8)), 1))


def test_a_whole_block_is_one_operator() -> None:
    assert ops(lowered(block())) == ["SelectiveSSM"]


@pytest.mark.parametrize("option", ["norm", "residual", "input_linear", "pooling"])
def test_what_the_plan_does_not_want_fused_stays_outside(option: str) -> None:
    legal = lowered(block(), **{option: False})
    op = ssm(legal)
    absent = {
        "norm": op.norm is None,
        "residual": not op.residual,
        "input_linear": "input_weight" not in op.weights,
        "pooling": op.pooling is None,
    }
    assert absent[option]


def test_nothing_is_fused_when_nothing_is_wanted() -> None:
    legal = lowered(block(), norm=False, residual=False, input_linear=False, pooling=False)
    op = ssm(legal)
    assert (op.norm, op.residual, op.pooling) == (None, False, None)
    assert "input_weight" not in op.weights


@pytest.mark.parametrize("kind", ["relu", "relu6"])
def test_relu_joins_the_layer_that_it_alone_reads(kind: str) -> None:
    b = Builder(1, 5, 3)
    after = apply(fuse_activation, b.done(b.unary(kind, b.linear(b.x, 2))))
    assert [node.op for node in after.nodes] == [Linear(kind)]
    b = Builder(1, 5, 3)
    h = b.linear(b.x, 2)
    assert ops(apply(fuse_activation, b.done(b.unary(kind, h), h))) == ["Linear", "Unary"]
    b = Builder(1, 5, 3)
    y = b.unary(kind, b.linear(b.x, 2, activation="relu6"))
    assert ops(apply(fuse_activation, b.done(y))) == ["Linear", "Unary"]


# -- the published networks --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("features", "length", "classes", "before", "after"),
    [(57, 10, 6, 33_856, 20_224), (40, 100, 3, 32_768, 15_872)],
    ids=["HAR", "KWS-3"],
)
def test_mamba_lite_networks_multiply_as_little_as_promised(
    features: int, length: int, classes: int, before: int, after: int
) -> None:
    b = Builder(1, length, features)
    h = b.mixer(b.linear(b.x, 64), d_inner=128, d_state=16, dt_rank=4, d_conv=4)
    graph = b.done(b.linear(b.mean(h, 1), classes))
    assert multiplies_per_step(graph) == before
    legal = run(graph)
    assert ops(legal) == ["SelectiveSSM"]
    assert multiplies_per_step(legal) == after
    once = 128 * classes  # out_proj composed with the head
    assert multiplies_per_sequence(legal) == {legal.outputs[0].name: after * length + once}
    assert_same_meaning(graph, legal)


def test_original_weights_are_never_written_to() -> None:
    graph = block()
    kept = {t.name: t.data.copy() for t in graph.tensors() if t.data is not None}
    order = [node.op for node in graph.nodes]
    run(graph)
    assert [node.op for node in graph.nodes] == order
    for tensor in graph.tensors():
        if tensor.data is not None:
            np.testing.assert_array_equal(tensor.data, kept[tensor.name])


def test_a_weight_that_two_mixers_share_is_composed_for_each() -> None:
    b = Builder(1, 5, 2)
    weight: Tensor = b.const(4, 2)
    h = b(Linear(), b.x, weight)
    node = b.graph.producer(b.mixer(h, d_inner=8))
    assert node is not None
    other = b(Linear(), b.unary("exp", b.x), weight)
    y = b(node.op, other, *node.inputs[1:])
    legal = lowered(b.done(b.add(node.output, y)))
    assert ops(legal) == ["SelectiveSSM", "Unary", "SelectiveSSM", "Binary"]


@pytest.mark.parametrize("features", [1, 7])
def test_a_step_is_taken_with_all_features_ahead_of_a_layer_that_changes_their_number(
    features: int,
) -> None:
    b = Builder(1, 5, 3)
    after = apply(hoist_pooling, b.done(b.step(b.linear(b.unary("exp", b.x), features), 2)))
    assert ops(after) == ["StridedSlice", "Unary", "Linear"]
    assert after.nodes[0].output.shape == (1, 1, 3)
