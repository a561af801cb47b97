"""What the emitted operators compute in the real interpreter equals their NumPy meaning."""

from __future__ import annotations

import numpy as np
import pytest
from emit_cases import cases, check, one_node, run_in_wheel, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from scanlet.emit.flatbuffer import write_model
from scanlet.emit.flatbuffer_reader import read_model
from scanlet.errors import EmitError
from scanlet.graph import Graph, Tensor, constant
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Flip,
    Gather,
    Linear,
    Norm,
    Pad,
    Pool1d,
    Reduce,
    Reshape,
    StridedSlice,
    Transpose,
    Unary,
)

FEW = settings(max_examples=30, deadline=None)
CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.emits)
def test_an_operator_computes_its_numpy_meaning(case):
    assert case.emits in [op.name for op in read_model(write_model(case.graph)).operators]
    check(case.graph, positive=case.positive)


@FEW
@given(
    rank=st.integers(1, 3),
    batch=st.integers(1, 4),
    features=st.integers(1, 9),
    out=st.integers(1, 9),
)
def test_linear_of_any_rank(rank, batch, features, out):
    shape = (1, *([batch] * (rank - 1)), features)
    check(one_node(Linear(), shape, weights(out, features), weights(out)))


@FEW
@given(data=st.data())
def test_convolution_of_any_shape(data):
    channels, kernel = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    stride, dilation = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    length = data.draw(st.integers(dilation * (kernel - 1) + 1, 14))
    depthwise = data.draw(st.booleans())
    out = data.draw(st.integers(1, 3)) * (channels if depthwise else 1)
    op = Conv1d(stride=stride, dilation=dilation, groups=channels if depthwise else 1)
    check(one_node(op, (1, length, channels), weights(out, kernel, 1 if depthwise else channels)))


@FEW
@given(kernel=st.integers(1, 5), length=st.integers(5, 12), stride=st.integers(1, 3))
def test_same_padding_and_pooling_of_any_shape(kernel, length, stride):
    outputs = -(-length // stride)
    total = max((outputs - 1) * stride + kernel - length, 0)
    op = Conv1d(stride=stride, padding=(total // 2, total - total // 2))
    check(one_node(op, (1, length, 3), weights(2, kernel, 3)))
    check(one_node(Pool1d("mean", kernel, stride), (1, length, 3)))


@FEW
@given(data=st.data(), kind=st.sampled_from(["add", "sub", "mul", "maximum"]))
def test_broadcasting_of_any_shape_up_to_rank_4(data, kind):
    shape = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    shapes = []
    for _ in range(2):
        own = [n if data.draw(st.booleans()) else 1 for n in shape]
        shapes.append(tuple(own[data.draw(st.integers(0, len(own) - 1)) :]))
    check(one_node(Binary(kind), *shapes))


@FEW
@given(data=st.data())
def test_data_movement_of_any_shape(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    axis = data.draw(st.integers(0, len(shape) - 1))
    check(one_node(Transpose(tuple(data.draw(st.permutations(range(len(shape)))))), shape))
    check(one_node(Concatenate(axis), shape, shape))
    check(one_node(Reduce("mean", (axis,)), shape))
    padding = tuple((data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in shape)
    check(one_node(Pad(padding), shape))
    begin = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    end = tuple(data.draw(st.integers(b + 1, n)) for b, n in zip(begin, shape, strict=True))
    strides = tuple(data.draw(st.integers(1, 3)) for _ in shape)
    check(one_node(StridedSlice(begin, end, strides), shape))


def test_open_slice_bounds_are_resolved():
    check(one_node(StridedSlice((0, -3, 0), (1, 99, 2**62), (1, 2, 1)), (1, 9, 4)))


def test_tokens_are_gathered_from_an_embedding_with_int32_indices():
    tokens = Tensor("tokens", (1, 4), "int64")
    table = weights(7, 3)
    graph = Graph([tokens], [], [])
    y = graph.add(Gather(0), [constant("table", table), tokens], name="y", dtype="float32")
    graph.outputs = [y]
    tflite = write_model(graph)
    assert read_model(tflite).inputs[0].dtype == "int32"
    indices = np.array([[6, 0, 3, 3]], np.int32)
    np.testing.assert_array_equal(run_in_wheel(tflite, indices)[0], table.astype("f4")[indices])


def conv_stack() -> Graph:
    graph = Graph([Tensor("x", (1, 16, 3))], [], [])
    y = graph.add(
        Conv1d(activation="relu"), [graph.inputs[0], constant("w1", weights(4, 3, 3))], name="a"
    )
    gate = graph.add(Unary("sigmoid"), [y], name="gate")
    y = graph.add(Binary("mul"), [y, gate], name="silu")
    y = graph.add(Pool1d("max", 2, 2), [y], name="pool")
    y = graph.add(Conv1d(groups=4), [y, constant("w2", weights(4, 3, 1))], name="b")
    y = graph.add(Reduce("mean", (1,)), [y], name="mean")
    graph.outputs = [graph.add(Linear(), [y, constant("w3", weights(2, 4))], name="y")]
    return graph


def test_a_chain_of_convolutions_has_no_reshapes_inside():
    names = [op.name for op in read_model(write_model(conv_stack())).operators]
    assert names == [
        *("RESHAPE", "CONV_2D", "LOGISTIC", "MUL", "MAX_POOL_2D", "DEPTHWISE_CONV_2D", "RESHAPE"),
        *("MEAN", "FULLY_CONNECTED"),
    ]
    check(conv_stack())


def test_a_convolution_result_serves_convolutions_and_others():
    graph = Graph([Tensor("x", (1, 8, 3))], [], [])
    y = graph.add(Conv1d(), [graph.inputs[0], constant("w1", weights(3, 1, 3))], name="a")
    z = graph.add(Conv1d(), [y, constant("w2", weights(3, 1, 3))], name="b")
    total = graph.add(Binary("add"), [graph.inputs[0], y], name="sum")
    total = graph.add(Binary("sub"), [total, z], name="difference")
    graph.outputs = [total]
    check(graph)


def test_a_weight_that_two_layers_share_is_stored_once():
    graph = Graph([Tensor("x", (1, 32))], [], [])
    weight = constant("w", weights(32, 32))
    y = graph.add(Linear(), [graph.inputs[0], weight], name="a")
    graph.outputs = [graph.add(Linear(), [y, weight], name="y")]
    check(graph)
    assert len(write_model(graph)) < 2 * weight.size * 4


def test_random_chains_of_operators_compute_their_meaning():
    rng = np.random.default_rng(0)
    for _ in range(10):
        graph = Graph([Tensor("x", (1, 6, 4))], [], [])
        y = graph.inputs[0]
        for i in range(6):
            match rng.integers(6):
                case 0:
                    y = graph.add(Unary("tanh"), [y], name=f"n{i}")
                case 1:
                    y = graph.add(
                        Linear(), [y, constant(f"w{i}", weights(4, y.shape[-1]))], name=f"n{i}"
                    )
                case 2:
                    y = graph.add(
                        Binary("add"), [y, constant(f"c{i}", weights(y.shape[-1]))], name=f"n{i}"
                    )
                case 3:
                    y = graph.add(Transpose((0, 2, 1)), [y], name=f"n{i}")
                case 4:
                    y = graph.add(Concatenate(1), [y, y], name=f"n{i}")
                case _:
                    shape = (1, y.shape[1] * 2, y.shape[2] // 2) if y.shape[2] % 2 == 0 else y.shape
                    y = graph.add(Reshape(shape), [y], name=f"n{i}")
        graph.outputs = [graph.add(Unary("neg"), [y], name="last")]
        check(graph)


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        (one_node(Flip(1), (1, 4, 3)), "no TFLite counterpart"),
        (one_node(Norm("layer", 1e-5), (1, 4, 3)), "no TFLite counterpart"),
        (one_node(Unary("silu"), (1, 4)), "silu"),
        (one_node(Concatenate(1), *([(1, 2)] * 11)), "11 tensors"),
        (one_node(Binary("add"), (1, 2, 3, 4, 5), (5,)), "rank 4"),
        (one_node(Reduce("mean", (0, 1, 2, 3, 4)), (1, 2, 3, 4, 5)), "5 axes"),
        (one_node(Pad(((0, 1),) * 5), (1, 2, 3, 4, 5)), "rank 5"),
        (one_node(Conv1d(groups=2), (1, 9, 4), weights(4, 3, 2)), "2 groups"),
        (one_node(Conv1d(padding=(2, 0)), (1, 9, 4), weights(4, 3, 4)), "padding"),
        (one_node(Linear(), (1, 2), np.full((1, 2), 1e39)), "does not fit float32"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_tflite_micro_cannot_run_is_refused_by_name(graph, text):
    with pytest.raises(EmitError, match=text):
        write_model(graph)
