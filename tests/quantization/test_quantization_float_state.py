"""Mixers with a float32 state: what their weights are derived from, and what they compute."""

from __future__ import annotations

import numpy as np
import pytest
from network_graphs import Net, both, calibrated, node_of, samples, signal_to_noise

from scanlet.errors import GraphError
from scanlet.graph import Graph
from scanlet.graph.operators import IntegerSSM, SelectiveSSM
from scanlet.graph.quantized import quantized
from scanlet.quantization.network import quantize_graph


def with_mixer(**options: object) -> Graph:
    net = Net(1, 12, 6)
    return net.done(net.mixer(net.x, 6, **options))


@both
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"residual": True, "norm": "layer", "norm_eps": 1e-5},
        {"pooling": "mean"},
        {"reverse": True, "mode": "stream"},
    ],
)
def test_a_float_state_is_no_noisier_than_an_integer_one(precision, options):
    graph = with_mixer(**options)
    calibration = calibrated(graph)
    floats, integers = (
        quantize_graph(graph, calibration, precision=precision, state=state).graph
        for state in ("float32", "int16")
    )
    assert node_of(floats, IntegerSSM).op.state == "float32"
    assert node_of(integers, IntegerSSM).op.state == "int16"
    assert signal_to_noise(graph, floats) > signal_to_noise(graph, integers) - 0.5


def test_a_float_state_takes_a_and_d_as_they_are_and_scales_rows_by_their_own_range():
    graph = with_mixer()
    calibration = calibrated(graph)
    node = node_of(graph, SelectiveSSM)
    real = node.op.named(node.inputs)
    made = quantize_graph(graph, calibration, precision="int8", state="float32").graph
    mixer = node_of(made, IntegerSSM)
    stored = mixer.op.named(mixer.inputs)
    assert "rates" not in stored
    for name in ("A", "D"):
        np.testing.assert_array_equal(stored[name].data, real[name].data.astype(np.float32))
    statistics = calibration.mixers[node.output.name]
    rows = statistics.dbc[node.op.dt_rank :]
    np.testing.assert_allclose(stored["bc_scales"].data, 2 * rows / 32767, rtol=1e-6)
    reals = stored["reals"].data
    np.testing.assert_allclose(reals[:, 0], 2 * statistics.delta / 32767, rtol=1e-6)
    np.testing.assert_allclose(reals[:, 2], 32767 / (2 * statistics.y), rtol=1e-6)


def test_calibrated_extremes_take_half_the_range():
    graph = with_mixer()
    made = quantize_graph(graph, calibrated(graph), precision="int16x8", state="float32").graph
    node = node_of(made, IntegerSSM)
    weights = [tensor.data for tensor in node.inputs[1:]]
    largest = dict.fromkeys(("delta", "b", "c", "y"), 0)
    for (x,) in samples(graph):
        stages = node.op.stages(quantized(x, node.inputs[0].quantization, "int16"), *weights)
        for name in largest:
            largest[name] = max(largest[name], int(np.abs(stages[name]).max()))
    assert all(0.48 < value / 32768 < 0.52 for value in largest.values())


def test_an_unknown_state_is_refused():
    graph = with_mixer()
    with pytest.raises(GraphError, match="no state 'int4'"):
        quantize_graph(graph, calibrated(graph), precision="int8", state="int4")
