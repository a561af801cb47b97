"""What quantize_graph makes of a network around its mixers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from network_graphs import (
    PRECISIONS,
    Net,
    both,
    convolutional,
    kinds,
    node_of,
    quantize,
    run_stored,
    samples,
    signal_to_noise,
)

from scanlet.graph import Graph, Quantization, Tensor
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Dequantize,
    Gather,
    Linear,
    Pad,
    Pool1d,
    Quantize,
    Reduce,
    Reshape,
    Softmax,
    StridedSlice,
    Transpose,
    Unary,
)
from scanlet.quantization.parameters import for_range, span


@both
def test_a_network_of_integer_operators_has_no_floats_at_all(precision):
    graph = convolutional()
    made = quantize(graph, precision)
    assert made.islands == ()
    for tensor in (*made.graph.inputs, *made.graph.outputs):
        assert tensor.dtype == PRECISIONS[precision]
    assert all(tensor.dtype != "float32" for tensor in made.graph.tensors())
    assert [t.name for t in made.graph.inputs] == [t.name for t in graph.inputs]
    assert [t.name for t in made.graph.outputs] == [t.name for t in graph.outputs]


@both
def test_a_quantized_network_computes_what_the_float_one_does(precision):
    graph = convolutional()
    noise = signal_to_noise(graph, quantize(graph, precision).graph)
    assert noise > {"int8": 28, "int16x8": 36}[precision]


def test_the_float_graph_stays_as_it_is():
    graph = convolutional()
    before = [(n.op, [t.name for t in n.inputs], n.output.dtype) for n in graph.nodes]
    quantize(graph, "int8")
    assert before == [(n.op, [t.name for t in n.inputs], n.output.dtype) for n in graph.nodes]


@both
def test_weights_have_a_scale_for_each_channel_and_biases_that_of_the_sum(precision):
    made = quantize(convolutional(), precision).graph
    for kind in (Linear, Conv1d):
        for node in [n for n in made.nodes if isinstance(n.op, kind)]:
            x, weight, *bias = node.inputs
            outputs = weight.shape[0]
            assert weight.dtype == "int8"
            assert weight.quantization.axis == 0
            assert weight.quantization.zero_points == (0,) * outputs
            assert np.abs(weight.data.astype(int)).max() <= 127
            if bias:
                assert bias[0].dtype == {"int8": "int32", "int16x8": "int64"}[precision]
                steps = np.multiply(weight.quantization.scales, x.quantization.scales[0])
                np.testing.assert_allclose(bias[0].quantization.scales, steps, rtol=1e-6)


def test_scales_are_float32_numbers_as_the_flatbuffer_holds_them():
    for tensor in quantize(convolutional(), "int8").graph.tensors():
        if tensor.quantization:
            scales = tensor.quantization.scales
            assert scales == tuple(float(np.float32(scale)) for scale in scales)


@both
def test_int16_activations_are_symmetric_and_int8_ones_use_all_values(precision):
    made = quantize(convolutional(), precision).graph
    activations = [t for t in made.tensors() if t.quantization and t.data is None]
    if precision == "int16x8":
        assert {t.quantization.zero_points for t in activations} == {(0,)}
    relu = next(n for n in made.nodes if n.op == Conv1d(padding=(1, 1), activation="relu"))
    if precision == "int8":
        assert relu.output.quantization.zero_points == (-128,)


@both
def test_operators_that_move_data_keep_the_scale(precision):
    net = Net(1, 8, 6)
    y = net(Transpose((0, 2, 1)), net.x, name="turned")
    y = net(Reshape((1, 4, 12)), y, name="reshaped")
    y = net(StridedSlice((0, 1, 0), (1, 4, 12), (1, 1, 2)), y, name="sliced")
    y = net(Pad(((0, 0), (1, 0), (0, 0))), y, name="padded")
    y = net(Pool1d("mean", 2, 1), y, name="pooled")
    made = quantize(net.done(y), precision).graph
    assert len({tensor.quantization for tensor in made.tensors() if tensor.data is None}) == 1


@both
def test_concatenated_tensors_share_a_scale_unless_one_is_read_elsewhere(precision):
    net = Net(1, 4, 6)
    small = net(Linear(), net.x, net.weight(6, 6, scale=0.01), name="small")
    large = net(Linear(), net.x, net.weight(6, 6, scale=5.0), name="large")
    own = net(Linear(), small, net.weight(2, 6), name="own")
    y = net(Concatenate(2), small, large, name="joined")
    made = quantize(net.done(y, own), precision).graph
    joined = node_of(made, Concatenate)
    assert {tensor.quantization for tensor in joined.inputs} == {joined.output.quantization}
    rescaled = node_of(made, Quantize)
    assert rescaled.output is joined.inputs[0]
    finer = rescaled.inputs[0].quantization.scales[0]
    assert finer < joined.output.quantization.scales[0] / 50


@both
def test_softmax_sigmoid_and_tanh_have_the_scales_that_the_kernels_insist_on(precision):
    net = Net(1, 5)
    outputs = [net(Softmax(), net.x, name="softmax")]
    outputs += [net(Unary(kind), net.x, name=kind) for kind in ("sigmoid", "tanh")]
    made = quantize(net.done(*outputs), precision).graph
    unit = {"int8": Quantization((1 / 256,), (-128,)), "int16x8": Quantization((2**-15,), (0,))}
    tanh = {"int8": Quantization((1 / 128,), (0,)), "int16x8": Quantization((2**-15,), (0,))}
    expected = [unit[precision], unit[precision], tanh[precision]]
    assert [tensor.quantization for tensor in made.outputs] == expected


def test_a_fixed_scale_passes_on_to_what_moves_it_and_is_rescaled_where_it_does_not_fit():
    net = Net(1, 2, 3)
    gate = net(Unary("sigmoid"), net.x, name="gate")
    moved = net(Reshape((1, 6)), gate, name="moved")
    other = net(Unary("sigmoid"), net.x, name="other")
    large = net(Linear(), net.x, net.weight(3, 3, scale=5.0), name="large")
    joined = net(Concatenate(1), net(Unary("sigmoid"), large, name="third"), large, name="joined")
    made = quantize(net.done(moved, joined, other), "int8").graph
    assert made.outputs[0].quantization == Quantization((1 / 256,), (-128,))
    assert made.outputs[1].quantization.scales[0] > 1 / 100
    assert kinds(made).count("Quantize") == 1


def test_relu6_is_a_relu_where_no_value_reaches_six():
    for scale, kind in ((0.01, "relu"), (20.0, "relu6")):
        net = Net(1, 2, 3)
        y = net(
            Reduce("sum", (1,)), net(Binary("mul"), net.x, net.value(scale), name="m"), name="s"
        )
        made = quantize(net.done(net(Unary("relu6"), y, name="y")), "int8").graph
        assert node_of(made, Unary).op == Unary(kind)


@both
def test_token_inputs_stay_int32_and_embeddings_are_int8_tables(precision):
    net = Net(1, 6, dtype="int32")
    y = net(Gather(0), net.weight(5, 4), net.x, name="embedding")
    graph = net.done(net(Linear(), y, net.weight(3, 4), name="head"))
    made = quantize(graph, precision)
    assert made.islands == ()
    assert made.graph.inputs[0].dtype == "int32"
    table = node_of(made.graph, Gather).inputs[0]
    assert (table.dtype, node_of(made.graph, Gather).output.dtype) == ("int8", "int8")
    assert kinds(made.graph).count("Quantize") == (precision == "int16x8")
    assert signal_to_noise(graph, made.graph) > 24


def test_int16_activations_reach_beyond_what_calibration_saw():
    """Scores that saturate are equal, and their order is lost."""
    net = Net(1, 6)
    graph = net.done(net(Linear(), net.x, net.weight(3, 6), name="y"))
    made = quantize(graph, "int16x8").graph
    seen = max(samples(graph), key=lambda sample: np.abs(graph.evaluate(sample)[0]).max())
    larger = (np.float32(1.9) * seen[0],)
    (exact,), (got,) = graph.evaluate(larger), run_stored(made, larger)
    np.testing.assert_allclose(got, exact, atol=0.02 * np.abs(exact).max())
    _, highest = span(made.outputs[0].quantization, "int16")
    assert highest <= 2.01 * np.abs(graph.evaluate(seen)[0]).max(), "not more than a bit"


# -- numbers -----------------------------------------------------------------------------------
@settings(max_examples=200, deadline=None)
@given(
    bounds=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    dtype=st.sampled_from(["int8", "int16"]),
)
def test_a_range_is_covered_to_half_a_step_and_holds_zero(bounds, dtype):
    low, high = min(bounds), max(bounds)
    quantization = for_range(low, high, dtype)
    (scale,), (zero_point,) = quantization.scales, quantization.zero_points
    info = np.iinfo(dtype)
    assert info.min <= zero_point <= info.max
    least, largest = span(quantization, dtype)
    slack = scale * 0.51
    assert least - slack <= low
    assert high <= largest + slack
    if max(abs(low), abs(high)) > 1e-3:
        assert scale <= 1.0001 * max(high, 0.0, high - low, -low) / (255 if dtype == "int8" else 1)


def test_traces_of_quantized_graphs_hold_stored_integers():
    x = Tensor("x", (1, 4), "int8", None, Quantization((0.5,), (3,)))
    graph = Graph([x], [], [])
    y = graph.add(Unary("abs"), [x], name="y")
    y.quantization = Quantization((0.25,), (-128,))
    real = graph.add(Dequantize(0.25, -128, "int8"), [y], name="real", dtype="float32")
    back = graph.add(Quantize(2.0, 1, "int16"), [real], name="back", dtype="int16")
    back.quantization = Quantization((2.0,), (1,))
    finer = graph.add(Quantize(0.5, 0, "int8"), [back], name="finer", dtype="int8")
    finer.quantization = Quantization((0.5,), (0,))
    graph.outputs = [finer]
    stored = np.array([[3, 4, 0, -128]], np.int8)  # 0, 0.5, -1.5, -65.5
    values = graph.trace([stored])
    np.testing.assert_array_equal(values["y"], [[-128, -126, -122, 127]])
    np.testing.assert_array_equal(values["real"], [[0, 0.5, 1.5, 63.75]])
    np.testing.assert_array_equal(values["back"], [[1, 1, 2, 33]])  # 0.25, 0.75, 31.875 rounded
    np.testing.assert_array_equal(values["finer"], [[0, 0, 4, 127]])
    for name, dtype in (("y", "int8"), ("back", "int16"), ("finer", "int8")):
        assert values[name].dtype == dtype


def test_a_sum_of_very_unequal_scales_keeps_the_kernels_factors_in_range():
    net = Net(1, 6)
    large = net(Binary("mul"), net.x, net.value([1e6]), name="large")
    less = net(Binary("mul"), net.x, net.value([-1e6]), name="less")
    made = quantize(net.done(net(Binary("add"), large, less, name="y")), "int16x8").graph
    total = made.nodes[-1]
    scales = [tensor.quantization.scales[0] for tensor in total.inputs]
    assert 2 * max(scales) / (1 << 15) / total.output.quantization.scales[0] < 1


def test_names_are_unique_however_often_forms_are_needed():
    net = Net(1, 6)
    shared = net.weight(6, 6)
    y = net(Linear(), net.x, shared, name="a")
    e = net(Unary("exp"), y, name="e")
    y = net(Linear(), y, shared, name="b")
    y = net(Binary("add"), y, e, name="y")
    made = quantize(net.done(y, e), "int8").graph
    names = [tensor.name for tensor in made.tensors()]
    assert len(names) == len(set(names))
    assert [tensor.name for tensor in made.outputs] == ["y", "e"]
