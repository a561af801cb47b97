"""What runs in float, what becomes of mixers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from network_graphs import (
    PRECISIONS,
    Net,
    both,
    calibrated,
    convolutional,
    kinds,
    node_of,
    quantize,
    samples,
    signal_to_noise,
)

from scanlet.errors import CalibrationError, InputError
from scanlet.graph import Graph
from scanlet.graph.operators import (
    Binary,
    Dequantize,
    IntegerSSM,
    Linear,
    Norm,
    Quantize,
    Reduce,
    SelectiveSSM,
    Unary,
)
from scanlet.graph.quantized import quantized
from scanlet.graph.serialization import graph_from_bytes, graph_to_bytes
from scanlet.quantization.calibration import Calibration, calibrate
from scanlet.quantization.network import quantize_graph


def normalized(kind: str = "layer") -> Graph:
    """A norm that no mixer can take, between two products."""
    net = Net(1, 6, 8)
    y = net(Linear(), net.x, net.weight(8, 8), net.weight(8), name="first")
    y = net(Unary("tanh"), y, name="tanh")
    y = net(Norm(kind, 1e-5), y, net.weight(8), net.weight(8), name="norm")
    y = net(Unary("relu"), y, name="relu")
    return net.done(net(Linear(), y, net.weight(3, 8), name="second"))


@both
@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_a_norm_is_one_island_with_one_entry_and_one_exit(precision, kind):
    made = quantize(normalized(kind), precision)
    (island,) = made.islands
    assert "norm" in island.modules
    assert any("rsqrt" in reason for reason in island.reasons)
    assert kinds(made.graph).count("Dequantize") == 1
    assert kinds(made.graph).count("Quantize") == 1
    inside = {node.output.name for node in made.graph.nodes if node.output.quantization is None}
    assert {name for name in inside if not name.endswith("_float")} == set(island.nodes)
    assert signal_to_noise(normalized(kind), made.graph) > 28


def test_neighbouring_islands_merge_and_what_lies_among_them_joins():
    net = Net(1, 6)
    y = net(Unary("exp"), net.x, name="exp")
    y = net(Binary("add"), y, net.value([1.0]), name="plus_one")
    y = net(Unary("log"), y, name="log")
    made = quantize(net.done(net(Unary("tanh"), y, name="y")), "int8")
    (island,) = made.islands
    assert island.nodes == ("exp", "plus_one", "log")
    assert island.reasons[0] == "exp has no integer kernel"
    assert kinds(made.graph) == ["Dequantize", "Unary", "Binary", "Unary", "Quantize", "Unary"]


def test_separate_islands_are_listed_separately():
    net = Net(1, 6)
    y = net(Unary("exp"), net.x, name="exp")
    y = net(Linear(), y, net.weight(6, 6), name="between")
    y = net(Unary("gelu"), y, name="gelu")
    made = quantize(net.done(net(Linear(), y, net.weight(2, 6), name="y")), "int8")
    assert [island.nodes for island in made.islands] == [("exp",), ("gelu",)]
    assert [island.modules for island in made.islands] == [("exp",), ("gelu",)]


def test_an_island_at_the_end_still_gives_an_integer_output_of_the_same_name():
    net = Net(1, 6)
    made = quantize(net.done(net(Unary("exp"), net.x, name="y")), "int8").graph
    assert (made.outputs[0].name, made.outputs[0].dtype) == ("y", "int8")
    assert kinds(made) == ["Dequantize", "Unary", "Quantize"]


@both
def test_modules_named_in_float_modules_stay_in_float(precision):
    net = Net(1, 6)
    y = net(Linear(), net.x, net.weight(6, 6), name="a", module="body.a")
    y = net(Unary("tanh"), y, name="t", module="body")
    y = net(Linear(), y, net.weight(6, 6), name="b", module="bodywork")
    y = net(Unary("relu"), y, name="r", module="bodywork.relu")
    made = quantize(net.done(y), precision, float_modules=["body"])
    (island,) = made.islands
    assert island.nodes == ("a", "t")
    assert island.reasons == ("float_modules names 'body'",)
    weights = [node.inputs[1].dtype for node in made.graph.nodes if isinstance(node.op, Linear)]
    assert weights == ["float32", "int8"]


def test_a_module_without_operators_is_refused():
    with pytest.raises(InputError, match="'haed'") as caught:
        quantize(convolutional(), "int8", float_modules=["haed"])
    assert "head" in str(caught.value)


def test_an_unknown_precision_is_refused():
    graph = convolutional()
    with pytest.raises(InputError, match="int4"):
        quantize_graph(graph, calibrated(graph), precision="int4")


def test_a_tensor_that_calibration_did_not_see_is_named():
    with pytest.raises(CalibrationError, match="'x'"):
        quantize_graph(convolutional(), Calibration(1), precision="int8")


def test_a_long_island_is_warned_of():
    net = Net(1, 4096, 1)
    made = quantize(net.done(net(Unary("exp"), net.x, name="y")), "int8")
    (warning,) = made.warnings
    assert "16,384 bytes" in warning
    assert "exp" in warning


def test_sums_that_int32_does_not_hold_stay_in_float():
    net = Net(1, 1 << 16)
    y = net(Linear(), net.x, net.weight(1, 1 << 16), name="wide")
    z = net(Reduce("mean", (1,)), net(Unary("relu"), net.x, name="r"), name="mean")
    graph = net.done(y, z)
    calibration = calibrate(graph, [(np.zeros(t.shape, np.float32) + 0.5) for t in graph.inputs])
    int8 = quantize_graph(graph, calibration, precision="int8")
    assert [island.reasons for island in int8.islands] == [("sums of 65536 products",)]
    int16 = quantize_graph(graph, calibration, precision="int16x8")
    assert [island.reasons for island in int16.islands] == [("a sum over 65536 elements",)]


# -- mixers ------------------------------------------------------------------------------------
def with_mixer(**options: object) -> Graph:
    net = Net(1, 12, 6)
    y = net(Unary("tanh"), net.x, name="t")
    y = net.mixer(y, 6, **options)
    return net.done(net(Unary("relu"), y, name="y"))


@both
def test_a_mixer_becomes_the_integer_operator_on_the_tensors_scales(precision):
    made = quantize(with_mixer(), precision)
    assert made.islands == ()
    node = node_of(made.graph, IntegerSSM)
    assert node.op.activation == PRECISIONS[precision]
    assert node.op.input_zero_point == node.inputs[0].quantization.zero_points[0]
    assert node.op.output_zero_point == node.output.quantization.zero_points[0]
    assert all(tensor.quantization is None for tensor in node.inputs[1:])
    assert node.output.dtype == PRECISIONS[precision]


@both
def test_a_mixer_in_float_modules_stays_a_float_mixer(precision):
    graph = with_mixer()
    made = quantize(graph, precision, float_modules=["mixer"])
    node = node_of(made.graph, SelectiveSSM)
    assert {tensor.dtype for tensor in (*node.inputs, node.output)} == {"float32"}
    before, after = (made.graph.index(node) + step for step in (-1, 1))
    assert isinstance(made.graph.nodes[before].op, Dequantize)
    assert isinstance(made.graph.nodes[after].op, Quantize)
    assert made.islands[0].modules == ("mixer",)
    assert signal_to_noise(graph, made.graph) > 24


def test_a_quantized_graph_survives_being_stored():
    made = quantize(with_mixer(), "int16x8").graph
    data = graph_to_bytes(made)
    again = graph_from_bytes(data)
    assert graph_to_bytes(again) == data
    x = quantized(samples(with_mixer(), 1)[0][0], made.inputs[0].quantization, "int16")
    np.testing.assert_array_equal(again.evaluate([x])[0], made.evaluate([x])[0])
