"""Quantized operators in the real interpreter against dequantize, evaluate, quantize."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from emit_cases import one_node, run_in_wheel, weights
from emit_integer_cases import (
    PRECISIONS,
    TYPES,
    Ranges,
    integer_cases,
    quantize,
    stored_inputs,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from scanlet.emit.flatbuffer import write_model
from scanlet.emit.flatbuffer_reader import read_model, validate
from scanlet.emit.operator_table import BUILTINS, required_resolver_methods
from scanlet.errors import EmitError
from scanlet.graph import Graph, Quantization
from scanlet.graph.operators import Binary, Linear, Reduce, Reshape, Softmax, Unary
from scanlet.quantization.network import quantize_graph

FEW = settings(max_examples=40, deadline=None)
#: Steps of 2^-15 by which TFLite's own int16 tables miss the exact result; one for all others.
TABLE_STEPS = {"TANH": 3, "LOGISTIC": 2, "SOFTMAX": 16}
CASES = [(p, case) for p in PRECISIONS for case in integer_cases(p)]


def name(value) -> str:
    return value if isinstance(value, str) else value.name


def steps_apart(graph: Graph, inputs: list[np.ndarray]) -> int:
    """The largest difference between the interpreter's result and the graph's meaning."""
    (got,) = run_in_wheel(write_model(graph), *inputs)
    (expected,) = graph.evaluate(inputs)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    return int(np.abs(got.astype(int) - expected.astype(int)).max())


@pytest.mark.parametrize(("precision", "case"), CASES, ids=name)
def test_a_quantized_operator_computes_its_meaning_within_a_step(precision, case):
    validate(write_model(case.graph))
    allowed = TABLE_STEPS.get(case.emits, 1) if precision == "int16x8" else 1
    assert steps_apart(case.graph, list(case.inputs)) <= allowed


@FEW
@given(data=st.data(), precision=st.sampled_from(PRECISIONS))
def test_sums_and_products_of_any_scales(data, precision):
    kind = data.draw(st.sampled_from(["add", "sub", "mul"]))
    exponents = [data.draw(st.floats(-12, 12)) for _ in range(2)]
    graph = one_node(Binary(kind), (1, 30), (1, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    samples = [[rng.standard_normal((1, 30)) * 2**e for e in exponents] for _ in range(3)]
    made = quantize_graph(graph, Ranges(graph, samples), precision=precision).graph
    assert steps_apart(made, stored_inputs(made, samples[0])) <= 1


@FEW
@given(data=st.data(), precision=st.sampled_from(PRECISIONS))
def test_products_with_weights_of_any_scales(data, precision):
    rows, depth = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    spread = 2.0 ** rng.uniform(-8, 8, (rows, 1))
    weight = rng.standard_normal((rows, depth)) * spread
    bias = rng.standard_normal(rows) * 2 ** data.draw(st.floats(-8, 8))
    graph = one_node(
        Linear(data.draw(st.sampled_from([None, "relu"]))), (1, 3, depth), weight, bias
    )
    samples = [[rng.standard_normal((1, 3, depth))] for _ in range(3)]
    made = quantize_graph(graph, Ranges(graph, samples), precision=precision).graph
    assert steps_apart(made, stored_inputs(made, samples[0])) <= 1


@FEW
@given(data=st.data(), precision=st.sampled_from(PRECISIONS))
def test_means_and_activations_of_any_scale(data, precision):
    count, exponent = data.draw(st.integers(1, 70)), data.draw(st.floats(-10, 10))
    op = data.draw(st.sampled_from([Reduce("mean", (1,)), Reduce("sum", (1,)), Unary("relu")]))
    graph = one_node(op, (1, count, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    samples = [[rng.standard_normal((1, count, 3)) * 2**exponent] for _ in range(3)]
    made = quantize_graph(graph, Ranges(graph, samples), precision=precision).graph
    assert steps_apart(made, stored_inputs(made, samples[0])) <= 1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_the_table_calls_integer_is_what_is_emitted_for_integers(precision):
    """So the table, the kernels of the interpreter and `integer_problem` agree."""
    emitted = {
        op.name
        for case in integer_cases(precision)
        for op in read_model(write_model(case.graph)).operators
    }
    dtype = TYPES[precision]
    listed = {entry.name for entry in BUILTINS.values() if entry.version(dtype)}
    listed = {name for name in listed if getattr(BUILTINS[name], dtype) is not None}
    if precision == "int16x8":
        emitted.discard("GATHER")  # of int8 rows
    assert emitted | {"DEQUANTIZE"} == listed


def test_an_int16_linear_is_a_convolution_since_esp_nn_has_one_scale_for_it():
    for shape, reshapes in (((1, 4), 2), ((1, 7, 4), 2), ((1, 2, 7, 4), 0)):
        graph = quantize(one_node(Linear(), shape, weights(3, 4), weights(3)), "int16x8").graph
        names = [op.name for op in read_model(write_model(graph)).operators]
        assert names == ["RESHAPE"] * (reshapes // 2) + ["CONV_2D"] + ["RESHAPE"] * (reshapes // 2)
    five = quantize(one_node(Linear(), (1, 2, 2, 2, 4), weights(3, 4)), "int16x8")
    assert five.islands[0].reasons == ("no int16 kernel for rank 5",)


def test_versions_follow_the_types_of_the_activations():
    for precision, dense, total in (("int8", 12, 2), ("int16x8", 4, 3)):
        graph = one_node(Linear(), (1, 4), weights(4, 4))
        graph.outputs = [graph.add(Binary("add"), [*graph.outputs, *graph.inputs], name="sum")]
        operators = read_model(write_model(quantize(graph, precision).graph)).operators
        assert [op.version for op in operators if op.name in ("FULLY_CONNECTED", "CONV_2D")] == [
            dense
        ]
        assert [op.version for op in operators if op.name == "ADD"] == [total]


def test_quantization_comes_back_from_the_file_and_takes_little_room():
    graph = quantize(one_node(Linear(), (1, 4), weights(64, 4), weights(64)), "int8").graph
    data = write_model(graph)
    model = validate(data)
    by_name = {tensor.name: tensor for tensor in model.tensors}
    for tensor in graph.tensors():
        found = by_name[tensor.name]
        assert found.dtype == tensor.dtype
        assert found.quantization.zero_points == tensor.quantization.zero_points
        assert found.quantization.axis == tensor.quantization.axis
        scales = np.float32(tensor.quantization.scales)
        np.testing.assert_array_equal(np.float32(found.quantization.scales), scales)
    content = sum(tensor.nbytes for tensor in model.tensors if tensor.constant)
    assert len(data) < content + 2 * 4 * 64 + 1200  # scales, and no zero point for each channel


def test_a_bias_of_int64_keeps_its_type():
    graph = quantize(one_node(Linear(), (1, 4), weights(3, 4), weights(3)), "int16x8").graph
    dtypes = {tensor.dtype for tensor in read_model(write_model(graph)).tensors if tensor.constant}
    assert "int64" in dtypes


def test_resolver_methods_include_those_of_the_islands_edges():
    graph = quantize(one_node(Unary("exp"), (1, 4)), "int8").graph
    methods = required_resolver_methods(write_model(graph))
    assert methods == ["AddDequantize", "AddExp", "AddQuantize"]


def broken(change) -> Graph:
    graph = quantize(one_node(Reshape((1, 6)), (1, 2, 3)), "int8").graph
    change(graph)
    return graph


def set_output(graph: Graph, **fields) -> None:
    for field, value in fields.items():
        setattr(graph.outputs[0], field, value)


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        (broken(lambda g: set_output(g, quantization=Quantization((0.5,), (0,)))), "rescale"),
        (broken(lambda g: set_output(g, quantization=None, dtype="float32")), "in float"),
        (broken(lambda g: set_output(g, dtype="int16")), "is int16, but its input"),
        (broken(lambda g: setattr(g.inputs[0], "quantization", None)), "without a scale"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tensors_that_no_kernel_takes_together_are_refused(graph, text):
    with pytest.raises(EmitError, match=text):
        write_model(graph)


def test_fixed_scales_zero_points_and_missing_kernels_are_refused():
    softmax = quantize(one_node(Softmax(), (1, 4)), "int8").graph
    softmax.outputs[0].quantization = Quantization((0.01,), (0,))
    with pytest.raises(EmitError, match="fixed"):
        write_model(softmax)
    wide = quantize(one_node(Unary("relu"), (1, 4)), "int16x8").graph
    wide.outputs[0].quantization = Quantization((0.01,), (5,))
    with pytest.raises(EmitError, match="zero point"):
        write_model(wide)
    root = quantize(one_node(Unary("relu"), (1, 4)), "int8").graph
    root.nodes[0].op = Unary("exp")
    with pytest.raises(EmitError, match="no EXP for int8"):
        write_model(root)
    island = quantize(one_node(Unary("exp"), (1, 4)), "int8").graph
    island.nodes[-1].op = replace(island.nodes[-1].op, scale=1.0)
    with pytest.raises(EmitError, match="disagree about the scale"):
        write_model(island)
