"""The flatbuffer file itself, as the schema's generated accessors see it."""

from __future__ import annotations

import numpy as np
import pytest
import tflite
from emit_cases import cases, one_node, weights

from scanlet.emit.flatbuffer import write_model
from scanlet.emit.flatbuffer_reader import validate
from scanlet.errors import EmitError, GraphError
from scanlet.graph import Graph, Quantization, Tensor, constant
from scanlet.graph.operators import (
    WEIGHT_ORDER,
    Binary,
    Conv1d,
    Linear,
    Pad,
    Reduce,
    Reshape,
    SelectiveSSM,
    StridedSlice,
    Transpose,
    Unary,
)
from scanlet.planning.plan import make_plan
from scanlet.targets import find


def network(length: int) -> Graph:
    """Every kind of operator whose parameters could depend on the length."""
    graph = Graph([Tensor("x", (1, length, 6))], [], [])
    y = graph.add(Pad(((0, 0), (2, 0), (0, 0))), [graph.inputs[0]], name="padded")
    y = graph.add(Conv1d(), [y, constant("conv.weight", weights(8, 3, 6))], name="conv")
    y = graph.add(Transpose((0, 2, 1)), [y], name="transposed")
    y = graph.add(Reshape((1, length, 8)), [y], name="reshaped")
    y = graph.add(StridedSlice((0, length // 2, 0), (1, length, 8), (1, 1, 1)), [y], name="half")
    y = graph.add(Reduce("mean", (1,)), [y], name="mean")
    inputs = [y, constant("head.weight", weights(3, 8)), constant("head.bias", weights(3))]
    graph.outputs = [graph.add(Linear(), inputs, name="scores")]
    return graph


def mixer_graph(length: int = 5, layers: int = 2) -> Graph:
    d_model, d_inner, d_state, dt_rank = 3, 6, 2, 1
    shapes = {
        "in_proj_weight": (2 * d_inner, d_model),
        "conv_weight": (d_inner, 4),
        "x_proj_weight": (dt_rank + 2 * d_state, d_inner),
        "dt_proj_weight": (d_inner, dt_rank),
        "dt_proj_bias": (d_inner,),
        "A": (d_inner, d_state),
        "D": (d_inner,),
        "out_proj_weight": (d_model, d_inner),
    }
    names = tuple(name for name in WEIGHT_ORDER if name in shapes)
    op = SelectiveSSM(names, d_inner, d_state, dt_rank, 4)
    graph = Graph([Tensor("x", (1, length, d_model))], [], [])
    y = graph.inputs[0]
    for layer in range(layers):
        data = [constant(f"{layer}.{n}", -np.abs(weights(*shapes[n]))) for n in names]
        y = graph.add(op, [y, *data], name=f"mixed{layer}")
    graph.outputs = [y]
    return graph


def accessors(data: bytes) -> tuple[tflite.Model, tflite.SubGraph]:
    model = tflite.Model.GetRootAs(data, 0)
    return model, model.Subgraphs(0)


def test_identifier_version_and_description():
    data = write_model(network(10), description="for the test", metadata={"more": b"abc"})
    model, subgraph = accessors(data)
    assert tflite.Model.ModelBufferHasIdentifier(data, 0)
    assert data[4:8] == b"TFL3"
    assert (model.Version(), model.SubgraphsLength()) == (3, 1)
    assert model.Description() == b"for the test"
    assert subgraph.Name() == b"main"
    entries = {
        model.Metadata(i).Name(): model.Buffers(model.Metadata(i).Buffer()).DataAsNumpy().tobytes()
        for i in range(model.MetadataLength())
    }
    assert entries[b"more"] == b"abc"


def test_the_same_graph_gives_the_same_bytes():
    assert write_model(network(10)) == write_model(network(10))


def test_buffer_0_is_empty_and_all_others_are_aligned_in_the_file():
    for data in (write_model(network(10)), *(write_model(case.graph) for case in cases()[:20])):
        model, _ = accessors(data)
        assert model.Buffers(0).DataLength() == 0
        start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
        for i in range(1, model.BuffersLength()):
            content = model.Buffers(i).DataAsNumpy()
            assert (content.__array_interface__["data"][0] - start) % 16 == 0
            assert content.size


def test_parameter_blocks_are_aligned_too():
    graph = mixer_graph()
    data = write_model(graph, make_plan(graph, find("generic")).layers)
    _, subgraph = accessors(data)
    start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    for i in range(subgraph.OperatorsLength()):
        block = subgraph.Operators(i).CustomOptionsAsNumpy()
        assert (block.__array_interface__["data"][0] - start) % 16 == 0


def test_names_and_shapes_are_kept():
    _, subgraph = accessors(write_model(network(10)))
    tensors = {
        subgraph.Tensors(i).Name().decode(): subgraph.Tensors(i)
        for i in range(subgraph.TensorsLength())
    }
    for tensor in network(10).tensors():
        if tensor.name != "conv.weight":  # reshaped for CONV_2D
            assert tuple(tensors[tensor.name].ShapeAsNumpy()) == tensor.shape
            assert tensors[tensor.name].HasRank()
    assert tuple(tensors["conv.weight"].ShapeAsNumpy()) == (8, 1, 3, 6)
    # A static shape needs no signature: that field is for shapes with unknown sizes.
    assert all(tensor.ShapeSignatureIsNone() for tensor in tensors.values())
    names = [subgraph.Tensors(i).Name() for i in (subgraph.Inputs(0), subgraph.Outputs(0))]
    assert names == [b"x", b"scores"]


def test_operator_codes_are_in_both_fields_with_versions():
    graph = one_node(Linear(), (1, 3, 4), weights(2, 4), weights(2))
    model, _ = accessors(write_model(graph))
    code = model.OperatorCodes(0)
    assert (
        code.BuiltinCode() == code.DeprecatedBuiltinCode() == tflite.BuiltinOperator.FULLY_CONNECTED
    )
    assert code.Version() == 5  # keep_num_dims came with version 5
    model, _ = accessors(write_model(one_node(Linear(), (1, 4), weights(2, 4), weights(2))))
    assert model.OperatorCodes(0).Version() == 1


def test_selective_ssm_nodes_share_one_custom_code():
    graph = mixer_graph()
    plan = make_plan(graph, find("generic"))
    data = write_model(graph, plan.layers)
    model, subgraph = accessors(data)
    assert model.OperatorCodesLength() == 1
    assert model.OperatorCodes(0).CustomCode() == b"SELECTIVE_SSM"
    assert model.OperatorCodes(0).BuiltinCode() == tflite.BuiltinOperator.CUSTOM
    assert subgraph.OperatorsLength() == 2
    first = validate(data, sealed=True).operators[0].parameters
    assert (first.d_inner, first.d_state, first.in_features) == (6, 2, 3)
    assert first.weights == graph.nodes[0].op.weights


def test_gelu_is_a_kind_of_the_custom_operator():
    (op,) = validate(write_model(one_node(Unary("gelu"), (1, 4, 3)))).operators
    assert (op.name, op.custom, len(op.inputs)) == ("SELECTIVE_SSM", True, 1)
    assert op.parameters.kind == 2


def test_identical_constants_share_a_buffer():
    values = weights(64, 64)
    graph = Graph([Tensor("x", (1, 64))], [], [])
    y = graph.add(Linear(), [graph.inputs[0], constant("first", values)], name="a")
    y = graph.add(Linear(), [y, constant("second", values.copy())], name="b")
    graph.outputs = [y]
    data = write_model(graph)
    assert values.size * 4 < len(data) < 1.2 * values.size * 4
    names = {tensor.name for tensor in validate(data).tensors}
    assert {"first", "second"} <= names


def test_float64_constants_are_rounded_once():
    value = np.array([[1.0 + 2.0**-24 + 2.0**-40]])  # just past the middle of two float32 values
    description = validate(write_model(one_node(Linear(), (1, 1), value)))
    assert description.tensors[1].array() == np.float32(1.0 + 2.0**-23)


@pytest.mark.parametrize("build", [network, mixer_graph])
def test_size_and_operators_do_not_depend_on_the_length(build):
    sizes, operators = [], []
    for length in (10, 100, 1000):
        graph = build(length)
        data = write_model(graph, make_plan(graph, find("esp32s3")).layers)
        sizes.append(len(data))
        operators.append(len(validate(data, sealed=True).operators))
    assert max(sizes) - min(sizes) <= 64
    assert len(set(operators)) == 1


def test_quantization_is_carried():
    per_tensor = Quantization((0.5,), (-3,))
    per_channel = Quantization((0.25, 0.125), (0, 0), axis=0)
    x = Tensor("x", (1, 6, 3), "int8", quantization=per_tensor)
    data = weights(2, 3, 3).round().astype(np.int8)
    weight = Tensor("w", (2, 3, 3), "int8", data, per_channel)
    graph = Graph([x], [], [])
    graph.outputs = [graph.add(Conv1d(), [x, weight], name="y")]
    graph.outputs[0].quantization = per_tensor
    tensors = {t.name: t for t in validate(write_model(graph)).tensors}
    assert tensors["x"].quantization == tensors["y"].quantization == per_tensor
    assert tensors["w"].quantization == per_channel
    np.testing.assert_array_equal(tensors["w"].array(), data[:, np.newaxis])
    assert tensors["y_zero_bias"].dtype == "int32"


def test_per_channel_quantization_follows_the_axis_of_depthwise_weights():
    weight = Tensor("w", (2, 3, 1), "int8", np.ones((2, 3, 1), np.int8))
    weight.quantization = Quantization((0.25, 0.125), (0, 0), axis=0)
    graph = Graph([Tensor("x", (1, 6, 2), "int8", quantization=Quantization((0.5,), (0,)))], [], [])
    graph.outputs = [graph.add(Conv1d(groups=2), [graph.inputs[0], weight], name="y")]
    graph.outputs[0].quantization = Quantization((1.0,), (0,))
    stored = next(t for t in validate(write_model(graph)).tensors if t.name == "w")
    assert stored.shape == (1, 1, 3, 2)
    assert stored.quantization is not None
    assert stored.quantization.axis == 3


def test_indices_beyond_int32_are_refused():
    table = Tensor("indices", (1,), "int64", np.array([2**40]))
    graph = Graph([Tensor("x", (1,), "int64")], [], [])
    graph.outputs = [graph.add(Binary("add"), [graph.inputs[0], table], name="y")]
    with pytest.raises(EmitError, match="does not fit int32"):
        write_model(graph)


def test_a_missing_layer_plan_or_one_of_another_layer_is_refused():
    graph = mixer_graph(layers=1)
    with pytest.raises(EmitError, match="0 layer plans"):
        write_model(graph)
    other = mixer_graph(layers=1)
    node = other.nodes[0]
    node.op = SelectiveSSM(node.op.weights, 6, 2, 1, 4, reverse=True)
    with pytest.raises(EmitError, match="of another node"):
        write_model(graph, make_plan(other, find("generic")).layers)


def test_an_inconsistent_graph_is_refused():
    graph = one_node(Unary("relu"), (1, 4))
    graph.outputs[0].shape = (1, 5)
    with pytest.raises(GraphError, match="shape"):
        write_model(graph)
