"""The strict validator: what scanlet could not have written never reaches an interpreter."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from typing import Any

import pytest
import tflite
from emit_cases import cases, one_node, weights
from emit_integer_cases import PRECISIONS, integer_cases
from emit_validation_cases import AXIS, BAD, GOOD, NONE, TABLE, X, f32, i32, sealed

from scanlet.emit import flatbuffer_walk, seal
from scanlet.emit.flatbuffer import write_model
from scanlet.emit.flatbuffer_reader import read_model, validate
from scanlet.emit.operator_source import render_component
from scanlet.emit.operator_table import BUILTINS
from scanlet.emit.tflite.assembly import Assembly, FlatOperator, FlatTensor
from scanlet.emit.tflite.serialize import serialize
from scanlet.emit.validation.indices import index_limits
from scanlet.emit.validation.model import RULES
from scanlet.emit.validation.selective import check_component
from scanlet.errors import ModelFileError
from scanlet.graph import Graph, Tensor, constant
from scanlet.graph.operators import Gather, Reshape, Unary
from scanlet.targets import find


def test_every_emitted_operator_has_a_rule():
    assert RULES.keys() == BUILTINS.keys()


@pytest.mark.parametrize("precision", ["float32", *PRECISIONS])
def test_what_scanlet_writes_passes(precision):
    if precision == "float32":
        graphs = [case.graph for case in cases()]
    else:
        graphs = [case.graph for case in integer_cases(precision)]
    for graph in graphs:
        validate(write_model(graph), sealed=True)


@pytest.mark.parametrize("name", GOOD)
def test_a_hand_made_operator_passes(name):
    operator, tensors, options = GOOD[name]
    validate(sealed(operator, tensors, **options), sealed=True)


@pytest.mark.parametrize("name", BAD)
def test_an_operator_that_scanlet_never_writes_is_refused(name):
    operator, tensors, options, text = BAD[name]
    with pytest.raises(ModelFileError, match=text) as caught:
        validate(sealed(operator, tensors, **options), sealed=True)
    assert "compile the model again" in str(caught.value)


def test_it_says_which_operator_and_tensor():
    with pytest.raises(ModelFileError, match=r"operator 0, RELU \('y'\): "):
        validate(sealed("RELU", [X, f32("y", 1, 5)]), sealed=True)


def test_another_version_or_an_absent_operand_is_refused():
    with pytest.raises(ModelFileError, match="version 77"):
        validate(sealed("RELU", [X, f32("y", 1, 4)], version=77), sealed=True)
    with pytest.raises(ModelFileError, match="lacks input 1"):
        validate(sealed("ADD", [X, f32("y", 1, 4)], inputs=(0, -1), **NONE), sealed=True)


def test_a_foreign_file_is_only_read():
    """Without scanlet's checksum nothing is promised but that it can be looked at."""
    assembly = Assembly()
    assembly.tensors = [X, f32("y", 1, 5)]
    assembly.operators = [FlatOperator("RELU", 1, (0,), (1,), {})]
    data = serialize(assembly, [0], [1], description="", metadata={})
    assert validate(data).operator_counts == {"RELU": 1}


def resealed(data: bytes) -> bytes:
    start = data.index(seal.MAGIC) + len(seal.MAGIC)
    return seal.attach(data[:start] + bytes(seal.DIGEST_BYTES) + data[start + seal.DIGEST_BYTES :])


def field_at(data: bytes, table: int, slot: int) -> int:
    """Where the vtable of `table` has the entry of `slot`."""
    return table - struct.unpack_from("<i", data, table)[0] + 4 + 2 * slot


def test_fields_that_scanlet_never_writes_are_refused():
    """An interpreter reads more of the schema than the reader does."""
    data = bytearray(write_model(one_node(Unary("relu"), (1, 4))))
    subgraph = tflite.Model.GetRootAs(bytes(data), 0).Subgraphs(0)
    tensor = subgraph.Tensors(0)._tab.Pos
    entry = field_at(data, tensor, 5)  # is_variable, absent
    assert struct.unpack_from("<H", data, entry) == (0,)
    (has_rank,) = struct.unpack_from("<H", data, field_at(data, tensor, 8))
    struct.pack_into("<H", data, entry, has_rank)
    with pytest.raises(ModelFileError, match="fields that scanlet never writes"):
        validate(resealed(bytes(data)), sealed=True)
    struct.pack_into("<H", data, entry, 0)
    data[tensor + has_rank] = 7
    with pytest.raises(ModelFileError, match="neither true nor false"):
        validate(resealed(bytes(data)), sealed=True)
    model = tflite.Model.GetRootAs(bytes(data), 0)._tab.Pos
    data[tensor + has_rank] = 1
    entry = field_at(data, model, 5)  # metadata_buffer
    (description,) = struct.unpack_from("<H", data, field_at(data, model, 3))
    struct.pack_into("<H", data, entry, description)
    assert read_model(bytes(data)).operators
    with pytest.raises(ModelFileError, match="has the field 5"):
        validate(resealed(bytes(data)), sealed=True)


def test_a_code_of_another_operator_is_refused():
    data = bytearray(write_model(one_node(Unary("relu"), (1, 4))))
    code = tflite.Model.GetRootAs(bytes(data), 0).OperatorCodes(0)._tab
    for slot, form in ((0, "<b"), (3, "<i")):
        struct.pack_into(form, data, code.Pos + code.Offset(4 + 2 * slot), 25)  # SOFTMAX
    with pytest.raises(ModelFileError, match="SoftmaxOptions"):
        validate(resealed(bytes(data)), sealed=True)
    for slot, form, value in ((0, "<b", 19), (3, "<i", 0)):  # RELU, or ADD
        struct.pack_into(form, data, code.Pos + code.Offset(4 + 2 * slot), value)
    with pytest.raises(ModelFileError, match="operator code 0"):
        validate(resealed(bytes(data)), sealed=True)


def test_a_gelu_that_changes_its_shape_is_refused():
    data = write_model(one_node(Unary("gelu"), (1, 4)))
    model = tflite.Model.GetRootAs(data, 0).Subgraphs(0).Tensors(1)
    at = model._tab.Vector(model._tab.Offset(4)) + 4
    changed = bytearray(data)
    struct.pack_into("<i", changed, at, 8)
    with pytest.raises(ModelFileError, match=r"SELECTIVE_SSM .*follow from its inputs"):
        validate(resealed(bytes(changed)), sealed=True)


def test_an_operator_out_of_the_component_is_refused():
    model = read_model(write_model(one_node(Unary("gelu"), (1, 4))))
    component = render_component((), name="m", uses_gelu=True, target=find("generic"))
    check_component(model, component)
    op = model.operators[0]
    block = bytearray(op.custom_options)
    block[12] ^= 1
    other = dataclasses.replace(model, operators=[dataclasses.replace(op, custom_options=block)])
    with pytest.raises(ModelFileError, match="not generated for this layer"):
        check_component(_with_valid_signature(other), component)


def _with_valid_signature(model):
    (op,) = model.operators
    block = bytes(op.custom_options)
    signature = zlib.crc32(block[:8] + bytes(4) + block[12:])
    signed = block[:8] + struct.pack("<I", signature) + block[12:]
    return dataclasses.replace(model, operators=[dataclasses.replace(op, custom_options=signed)])


def looked_up(through: Any = None) -> Graph:
    tokens = Tensor("tokens", (1, 4), "int32")
    graph = Graph([tokens], [], [])
    rows = tokens
    if through is not None:
        rows = graph.add(through, [tokens], name="rows", dtype="int32")
    table = constant("table", weights(5, 2))
    graph.outputs = [graph.add(Gather(0), [table, rows], name="y", dtype="float32")]
    return graph


def test_the_limit_of_indices_is_found_behind_operators_that_move_them():
    for graph in (looked_up(), looked_up(Reshape((2, 2)))):
        model = validate(write_model(graph), sealed=True)
        assert index_limits(model) == {model.inputs[0].index: 5}


def test_computed_indices_are_refused():
    tensors = [
        FlatTensor("x", (4,), "int32"),
        i32("a", [0]),
        FlatTensor("m", (1,), "int32"),
        TABLE,
        f32("y", 1, 2),
    ]
    assembly = Assembly()
    assembly.tensors = tensors
    assembly.operators = [
        FlatOperator("REDUCE_MAX", 1, (0, 1), (2,), {"KeepDims": True}),
        FlatOperator("GATHER", 1, (3, 2), (4,), AXIS),
    ]
    with pytest.raises(ModelFileError, match="computes indices"):
        index_limits(read_model(serialize(assembly, [0], [4], description="", metadata={})))


def test_a_file_of_ever_the_same_table_is_refused_in_time():
    """Thousands of offsets to one tensor: each fine; of millions an hour's work."""
    data = bytearray(sealed("RELU", [X, f32("y", 1, 4)]))
    subgraph = tflite.Model.GetRootAs(bytes(data), 0).Subgraphs(0)
    field = subgraph._tab.Pos + subgraph._tab.Offset(4)
    target = subgraph.Tensors(0)._tab.Pos
    count = 5000
    vector = len(data) + 40 - len(data) % 4
    data += bytes(vector - len(data))
    # Offsets point forward only, so a table of defaults follows the vector.
    table = vector + 4 + 4 * count
    size = 32
    vtable = target - struct.unpack_from("<i", data, target)[0]
    data += struct.pack("<I", count)
    data += b"".join(struct.pack("<I", table - (vector + 4 + 4 * i)) for i in range(count))
    body = bytearray(size)
    struct.pack_into("<i", body, 0, table - vtable)
    data += body
    struct.pack_into("<I", data, field, vector - field)
    with pytest.raises(ModelFileError, match="overlap"):
        read_model(bytes(data))


def test_tables_are_counted(monkeypatch):
    data = write_model(one_node(Unary("relu"), (1, 4)))
    monkeypatch.setattr(flatbuffer_walk, "MAX_TABLES", 5)
    with pytest.raises(ModelFileError, match="more than 5 tables"):
        read_model(data)
