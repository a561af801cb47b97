"""Scales and offsets go into the weights beside them, only where that is exact."""

from __future__ import annotations

import numpy as np
import pytest
from passes_builder import Builder, apply, assert_same_meaning, kinds, ops

from scanlet.errors import InputError
from scanlet.graph import Tensor
from scanlet.graph.operators import Binary, ChannelAffine, Conv1d, Linear, SelectiveSSM
from scanlet.passes import fold_normalization, run
from scanlet.passes.compose_linears import compose_linears
from scanlet.passes.fold_affine import fold_affine
from scanlet.passes.lower_affine import lower_affine


def affine(b: Builder, x: Tensor, axis: int = -1) -> Tensor:
    axis %= len(x.shape)
    n = x.shape[axis]
    return b(ChannelAffine(axis), x, b.const(n, low=0.5), b.const(n))


def conv(
    b: Builder, x: Tensor, out: int, groups: int = 1, padding: tuple = (0, 0), **o: int
) -> Tensor:
    weight = b.const(out, 3, x.shape[2] // groups)
    return b(Conv1d(groups=groups, padding=padding, **o), x, weight, b.const(out))


def test_batch_norm_folds_into_the_linear_before_it_and_the_one_after() -> None:
    b = Builder(1, 5, 3)
    behind = affine(b, b.linear(b.x, 4, bias=False))
    y = b.linear(affine(b, b.unary("tanh", behind)), 2)
    assert ops(apply(fold_affine, b.done(y))) == ["Linear", "Unary", "Linear"]


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("after_conv", [False, True])
def test_an_affine_folds_into_a_convolution_beside_it(groups: int, after_conv: bool) -> None:
    b = Builder(1, 7, 6)
    y = affine(b, conv(b, b.x, 12, groups)) if after_conv else conv(b, affine(b, b.x), 12, groups)
    assert ops(apply(fold_affine, b.done(y))) == ["Conv1d"]


def test_padding_lets_only_a_scale_through() -> None:
    b = Builder(1, 7, 4)
    offset = apply(fold_affine, b.done(conv(b, affine(b, b.x), 2, padding=(2, 0))))
    assert ops(offset) == ["ChannelAffine", "Conv1d"]
    b = Builder(1, 7, 4)
    scale = apply(fold_affine, b.done(conv(b, b.mul(b.x, b.const(4)), 2, padding=(2, 0))))
    assert ops(scale) == ["Conv1d"]


def test_an_affine_behind_a_padded_convolution_folds() -> None:
    b = Builder(1, 7, 4)
    assert ops(apply(fold_affine, b.done(affine(b, conv(b, b.x, 2, padding=(1, 1)))))) == ["Conv1d"]


@pytest.mark.parametrize("kind", ["add", "sub", "mul", "div"])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("shape", [(4,), (1, 1, 4), (1,), ()])
def test_constant_operands_count_as_affine(kind: str, left: bool, shape: tuple) -> None:
    b = Builder(1, 5, 3)
    x, h, c = b.linear(b.x, 4), b.unary("exp", b.linear(b.x, 4)), b.const(*shape, low=0.5)
    y = b(Binary(kind), *((c, x) if left else (x, c)))
    folds = not (kind == "div" and left)
    z = b.linear(b(Binary(kind), *((c, h) if left else (h, c))), 2)
    after = apply(fold_affine, b.done(y, z))
    assert ops(after).count("Binary") == (0 if folds else 2)


def test_what_varies_along_time_or_enlarges_its_input_does_not_fold() -> None:
    b = Builder(1, 5, 3)
    y = b.add(b.linear(b.x, 4), b.const(5, 1))
    z = b.add(b.linear(b.mean(b.x, 1, keepdims=True), 4), b.const(5, 4))
    assert ops(apply(fold_affine, b.done(y, z))).count("Binary") == 2


def test_a_division_by_zero_does_not_fold() -> None:
    b = Builder(1, 5, 3)
    graph = b.done(b(Binary("div"), b.linear(b.x, 2), b.value([0.5, 0.0])))
    assert not fold_affine(graph)
    assert ops(graph) == ["Linear", "Binary"]


def test_a_second_reader_or_an_output_blocks_folding_behind() -> None:
    b = Builder(1, 5, 3)
    h = b.linear(b.x, 4)
    assert ops(apply(fold_affine, b.done(affine(b, h), h))) == ["Linear", "ChannelAffine"]
    b = Builder(1, 5, 3)
    h = b.linear(b.x, 4, activation="relu")
    assert ops(apply(fold_affine, b.done(affine(b, h)))) == ["Linear", "ChannelAffine"]


def test_folding_ahead_needs_every_reader_to_take_it() -> None:
    b = Builder(1, 5, 3)
    h = affine(b, b.x)
    both = b.done(b.linear(h, 2), b.linear(h, 4))
    assert ops(apply(fold_affine, both)) == ["Linear", "Linear"]
    b = Builder(1, 5, 3)
    h = affine(b, b.x)
    one = b.done(b.linear(h, 2), b.unary("relu", h))
    assert ops(apply(fold_affine, one)) == ["ChannelAffine", "Linear", "Unary"]
    b = Builder(1, 5, 3)
    h = affine(b, b.x)
    assert ops(apply(fold_affine, b.done(b.linear(h, 2), h))) == ["ChannelAffine", "Linear"]


def test_folding_ahead_looks_through_data_movement() -> None:
    b = Builder(1, 3, 8)  # channels first
    h = affine(b, b.x, axis=1)
    h = b.flip(b.transpose(h, 0, 2, 1), 1)
    y = b.linear(b.mean(b.step(h, 2), 1), 2)
    after = apply(fold_affine, b.done(y))
    assert "ChannelAffine" not in ops(after)


def test_an_affine_folds_into_mixers_in_proj_and_out_proj() -> None:
    b = Builder(1, 5, 3)
    y = affine(b, b.mixer(affine(b, b.x), biases=True))
    assert ops(apply(fold_affine, b.done(y))) == ["SelectiveSSM"]


def test_residual_and_norm_of_a_mixer_block_folding() -> None:
    b = Builder(1, 5, 3)
    y = affine(b, b.mixer(affine(b, b.x), residual=True))
    z = b.mixer(affine(b, b.x), norm="rms", norm_eps=1e-5)
    after = apply(fold_affine, b.done(y, z))
    assert ops(after).count("ChannelAffine") == 3


def test_a_shared_weight_is_not_written_to() -> None:
    b = Builder(1, 5, 4)
    weight = b.const(4, 4)
    assert weight.data is not None
    kept = weight.data.copy()
    h = b(Linear(), affine(b, b.x), weight)
    y = affine(b, b(Linear(), b.unary("tanh", h), weight))
    graph = b.done(y)
    after = apply(fold_affine, graph)
    assert ops(after) == ["Linear", "Unary", "Linear"]
    np.testing.assert_array_equal(weight.data, kept)


def test_affines_in_a_row_merge() -> None:
    b = Builder(1, 5, 4)
    h = b.mul(affine(b, b.unary("tanh", b.x)), b.const(1))
    assert ops(apply(fold_affine, b.done(b.add(h, b.const(4))))) == ["Unary", "ChannelAffine"]


@pytest.mark.parametrize("axis", [1, 2])
def test_an_affine_that_is_left_becomes_product_and_sum(axis: int) -> None:
    b = Builder(1, 5, 4)
    assert ops(apply(lower_affine, b.done(affine(b, b.x, axis)))) == ["Binary", "Binary"]


def test_one_minus_x_is_one_operator() -> None:
    b = Builder(1, 5, 4)
    h = b(ChannelAffine(2), b.unary("tanh", b.x), b.value([-1] * 4), b.value([1.0] * 4))
    after = apply(lower_affine, b.done(h))
    assert [node.op for node in after.nodes][1:] == [Binary("sub")]
    assert after.nodes[1].inputs[0].shape == (1,)


def test_linears_compose_only_where_that_multiplies_less() -> None:
    b = Builder(1, 5, 8)
    narrow = b.linear(b.linear(b.x, 2), 8)  # a bottleneck: 32 against 64
    wide = b.linear(b.linear(b.x, 8, bias=False), 2)
    after = apply(compose_linears, b.done(narrow, wide))
    assert ops(after) == ["Linear"] * 3
    assert sum(node.inputs[1].size for node in after.nodes) == 32 + 16


def test_an_activation_or_second_reader_between_linears_blocks() -> None:
    b = Builder(1, 5, 8)
    h = b.linear(b.x, 8)
    y = b.linear(b.linear(b.x, 8, activation="relu"), 2)
    assert ops(apply(compose_linears, b.done(b.linear(h, 2), h, y))) == ["Linear"] * 4


# -- normalization= ----------------------------------------------------------------------------
@pytest.mark.parametrize("values", [(0.5, 2.0), ([1, 2, 3], [1, 2, 4]), (0.0, [1, 2, 4])])
def test_normalization_folds_into_the_first_linear(values: tuple) -> None:
    b = Builder(1, 5, 3)
    graph = b.done(b.linear(b.x, 2))
    folded = fold_normalization(graph, *values)
    x = b.rng.standard_normal((1, 5, 3))
    (expected,) = graph.evaluate([(x - np.asarray(values[0])) / np.asarray(values[1])])
    np.testing.assert_allclose(folded.evaluate([x])[0], expected, rtol=1e-9)
    legal = run(folded)
    assert ops(legal) == ["Linear"]
    assert_same_meaning(folded, legal)


def test_normalization_of_a_channels_first_input_is_along_axis_1() -> None:
    b = Builder(1, 4, 4)  # square: only the transpose ahead of the convolution tells
    y = conv(b, b.transpose(b.x, 0, 2, 1), 5)
    folded = fold_normalization(b.done(y), [1, 2, 3, 4], [1, 2, 1, 2])
    assert kinds(folded, ChannelAffine) == [ChannelAffine(1)]
    assert ops(run(folded)) == ["Transpose", "Conv1d"]
    b = Builder(1, 3, 8)
    folded = fold_normalization(b.done(b.unary("relu", b.x)), [1, 2, 3], 1.0)
    assert kinds(folded, ChannelAffine) == [ChannelAffine(1)]


def test_normalization_ahead_of_a_padded_convolution_stays_exact() -> None:
    b = Builder(1, 6, 3)
    folded = fold_normalization(b.done(conv(b, b.x, 2, padding=(2, 0))), [1, 2, 3], 2.0)
    legal = run(folded)
    assert ops(legal) == ["Binary", "Binary", "Pad", "Conv1d"]
    assert_same_meaning(folded, legal)


def test_normalization_reaches_every_reader_of_the_input() -> None:
    b = Builder(1, 6, 3)
    graph = b.done(b.add(b.x, b.mixer(b.x)))
    folded = fold_normalization(graph, 1.0, [1, 2, 3])
    x = b.rng.standard_normal((1, 6, 3))
    (expected,) = graph.evaluate([(x - 1) / np.array([1, 2, 3])])
    legal = run(folded)
    np.testing.assert_allclose(legal.evaluate([x])[0], expected, rtol=1e-9)
    assert kinds(legal, SelectiveSSM)[0].residual


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        (0.0, 0.0),
        (0.0, [1.0, -1.0, 1.0]),
        (0.0, float("nan")),
        (float("inf"), 1.0),
        ([0.0, 0.0], 1.0),
        ([0.0] * 3, [1.0] * 2),
        ("a", 1.0),
        (np.zeros((2, 3)), 1.0),
        ([], 1.0),
    ],
)
def test_bad_normalization_is_refused(mean: object, std: object) -> None:
    b = Builder(1, 5, 3)
    with pytest.raises(InputError, match="normalization"):
        fold_normalization(b.done(b.linear(b.x, 2)), mean, std)  # type: ignore[arg-type]


def test_normalization_of_tokens_is_refused() -> None:
    b = Builder(1, 5, dtype="int32")
    with pytest.raises(InputError, match="int32"):
        fold_normalization(b.done(b.reshape(b.x, 1, 5, 1)), 0.0, 1.0)
