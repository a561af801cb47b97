"""The NumPy meaning and the shape inference of every operator, against PyTorch in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scanlet.errors import GraphError
from scanlet.graph.operators import (
    BINARY,
    REDUCTIONS,
    UNARY,
    Binary,
    ChannelAffine,
    Concatenate,
    Conv1d,
    Flip,
    Gather,
    Linear,
    Norm,
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

RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def check(
    op: Operator, arrays: list[np.ndarray], expected: torch.Tensor, rtol: float = 1e-12
) -> None:
    """The operator gives what torch gives, in the inferred shape and the input's dtype."""
    got = op.evaluate(*arrays)
    assert got.shape == tuple(expected.shape) == op.infer_shape(*[a.shape for a in arrays])
    assert got.dtype == arrays[0].dtype
    assert_allclose(got, expected.numpy(), rtol=rtol, atol=rtol)


def t(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)


# -- pointwise ---------------------------------------------------------------------------------
TORCH_UNARY = {
    "relu": torch.relu,
    "relu6": F.relu6,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "exp": torch.exp,
    "log": torch.log,
    "neg": torch.neg,
    "abs": torch.abs,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "square": torch.square,
}
TORCH_BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "squared_difference": lambda a, b: (a - b) ** 2,
}


@pytest.mark.parametrize("kind", UNARY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_unary(kind: str, dtype: str) -> None:
    x = 4 * random(3, 5)
    if kind in ("log", "sqrt", "rsqrt"):
        x = np.abs(x) + 0.1
    x = x.astype(dtype)
    check(Unary(kind), [x], TORCH_UNARY[kind](t(x)), 1e-12 if dtype == "float64" else 1e-5)


@pytest.mark.parametrize("kind", ["sigmoid", "silu", "gelu", "gelu_tanh", "tanh"])
def test_saturating_functions_do_not_overflow(kind: str) -> None:
    x = np.array([-1000.0, -50.0, 0.0, 50.0, 1000.0])
    with np.errstate(over="raise", invalid="raise"):
        check(Unary(kind), [x], TORCH_UNARY[kind](t(x)))


@pytest.mark.parametrize("kind", BINARY)
@pytest.mark.parametrize(
    "shapes", [((1, 4, 3), (3,)), ((4, 1), (1, 4, 3)), ((2, 3), (2, 3)), ((3,), ())]
)
def test_binary_broadcasts(kind: str, shapes: tuple) -> None:
    a, b = (random(*shape) for shape in shapes)
    check(Binary(kind), [a, b], TORCH_BINARY[kind](t(a), t(b)))


@pytest.mark.parametrize("op", [Unary, Binary, lambda kind: Reduce(kind, (0,))])
def test_unknown_kinds_are_refused(op: type) -> None:
    with pytest.raises(GraphError, match="cbrt"):
        op("cbrt")


# -- products ----------------------------------------------------------------------------------
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", [None, "relu", "relu6"])
@pytest.mark.parametrize("shape", [(1, 5), (1, 7, 5), (2, 3, 4, 5)])
def test_linear(bias: bool, activation: str | None, shape: tuple[int, ...]) -> None:
    arrays = [3 * random(*shape), random(4, 5)] + ([random(4)] if bias else [])
    expected = F.linear(*[t(a) for a in arrays])
    check(Linear(activation), arrays, TORCH_UNARY[activation](expected) if activation else expected)


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 12),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    left=st.integers(0, 4),
    right=st.integers(0, 4),
    groups=st.sampled_from([1, 2, 4]),
    multiplier=st.integers(1, 2),
    bias=st.booleans(),
)
def test_conv1d(
    length: int,
    kernel: int,
    stride: int,
    dilation: int,
    left: int,
    right: int,
    groups: int,
    multiplier: int,
    bias: bool,
) -> None:
    op = Conv1d(stride, (left, right), dilation, groups)
    x, weight = random(1, length, 4), random(4 * multiplier, kernel, 4 // groups)
    arrays = [x, weight] + ([random(4 * multiplier)] if bias else [])
    if length + left + right < dilation * (kernel - 1) + 1:
        with pytest.raises(GraphError, match="shorter than the kernel span"):
            op.infer_shape(x.shape, weight.shape)
        return
    expected = F.conv1d(
        F.pad(t(x).transpose(1, 2), (left, right)),
        t(weight).transpose(1, 2),
        t(arrays[2]) if bias else None,
        stride=stride,
        dilation=dilation,
        groups=groups,
    )
    check(op, arrays, expected.transpose(1, 2))


def test_conv1d_activation() -> None:
    x, weight = 3 * random(1, 6, 2), random(4, 3, 2)
    expected = F.relu6(F.conv1d(t(x).transpose(1, 2), t(weight).transpose(1, 2))).transpose(1, 2)
    check(Conv1d(activation="relu6"), [x, weight], expected)


@pytest.mark.parametrize("kind", ["mean", "max"])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (2, 2), (3, 2), (7, 4)])
def test_pool1d(kind: str, kernel: int, stride: int) -> None:
    x = random(1, 7, 3)
    pool = F.avg_pool1d if kind == "mean" else F.max_pool1d
    check(Pool1d(kind, kernel, stride), [x], pool(t(x).mT, kernel, stride).mT)


@pytest.mark.parametrize(
    ("op", "shapes", "text"),
    [
        (Linear(), [(1, 5), (4, 6)], "linear layer"),
        (Conv1d(), [(1, 8, 3), (4, 3, 2)], "conv1d"),
        (Conv1d(), [(8, 3), (4, 3, 3)], "conv1d"),
        (Pool1d("max", 4, 1), [(1, 3, 2)], "shorter than the window"),
        (Reshape((2, 3)), [(1, 5)], "cannot reshape"),
        (Transpose((0, 0)), [(1, 5)], "permutation"),
        (Transpose((0, 2, 1)), [(1, 5)], "permutation"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(op: Operator, shapes: list, text: str) -> None:
    with pytest.raises(GraphError, match=text):
        op.infer_shape(*shapes)


# -- norms -------------------------------------------------------------------------------------
@pytest.mark.parametrize("parts", [0, 1, 2])
def test_layer_norm(parts: int) -> None:
    x, weights = 3 + random(1, 4, 6), [random(6) for _ in range(parts)]
    expected = F.layer_norm(t(x), (6,), *[t(w) for w in weights], eps=1e-3)
    check(Norm("layer", 1e-3), [x, *weights], expected)


@pytest.mark.parametrize("parts", [0, 1, 2])
def test_rms_norm(parts: int) -> None:
    x, weights = 3 + random(1, 4, 6), [random(6) for _ in range(parts)]
    expected = F.rms_norm(t(x), (6,), t(weights[0]) if weights else None, eps=1e-3)
    check(Norm("rms", 1e-3), [x, *weights], expected + t(weights[1]) if parts > 1 else expected)


@pytest.mark.parametrize("axis", [1, 2])
def test_channel_affine_is_batch_norm_at_inference(axis: int) -> None:
    x = random(1, 4, 6)
    n = x.shape[axis]
    mean, var, weight, bias = random(n), np.abs(random(n)) + 0.1, random(n), random(n)
    scale = weight / np.sqrt(var + 1e-5)
    as_channels = t(x) if axis == 1 else t(x).mT
    expected = F.batch_norm(as_channels, t(mean), t(var), t(weight), t(bias), eps=1e-5)
    arrays = [x, scale, bias - mean * scale]
    check(ChannelAffine(axis), arrays, expected if axis == 1 else expected.mT)


def test_softmax() -> None:
    x = 500 * random(2, 3, 4)
    check(Softmax(), [x], torch.softmax(t(x), -1))


# -- reductions and data movement ----------------------------------------------------------------
@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("axes", [(1,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reduce(kind: str, axes: tuple[int, ...], keepdims: bool) -> None:
    x = random(2, 3, 4)
    reduce = {"mean": torch.mean, "sum": torch.sum, "max": torch.amax, "min": torch.amin}[kind]
    check(Reduce(kind, axes, keepdims), [x], reduce(t(x), axes, keepdim=keepdims))


@settings(max_examples=40, deadline=None)
@given(perm=st.permutations(range(4)))
def test_transpose(perm: list[int]) -> None:
    x = random(1, 2, 3, 4)
    check(Transpose(tuple(perm)), [x], t(x).permute(perm))


def test_reshape_and_flip() -> None:
    x = random(1, 6, 4)
    check(Reshape((3, 8)), [x], t(x).reshape(3, 8))
    for axis in range(3):
        check(Flip(axis), [x], t(x).flip(axis))


@settings(max_examples=40, deadline=None)
@given(begin=st.integers(0, 6), end=st.integers(1, 7), stride=st.integers(1, 4))
def test_strided_slice(begin: int, end: int, stride: int) -> None:
    assume(begin < end)
    x = random(2, 7, 3)
    op = StridedSlice((0, begin, 1), (2, end, 3), (1, stride, 1))
    check(op, [x], t(x)[:, begin:end:stride, 1:])


def test_concatenate_and_pad() -> None:
    parts = [random(1, n, 3) for n in (2, 1, 4)]
    check(Concatenate(1), parts, torch.cat([t(p) for p in parts], 1))
    check(Pad(((0, 1), (2, 0), (1, 3))), parts[:1], F.pad(t(parts[0]), (1, 3, 2, 0, 0, 1)))


def test_gather_selects_and_embeds() -> None:
    table, tokens = random(9, 4), np.array([[3, 0, 8, 3]], np.int32)
    check(Gather(0), [table, tokens], F.embedding(t(tokens).long(), t(table)))
    x, indices = random(1, 5, 2), np.array([4, 3, 0], np.int32)
    check(Gather(1), [x, indices], t(x).index_select(1, t(indices)))
    assert_array_equal(Gather(1).evaluate(x, indices)[0, 2], x[0, 0])
