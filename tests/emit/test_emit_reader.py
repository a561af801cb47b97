"""The reader refuses damage with an error of its own, whatever the bytes."""

from __future__ import annotations

import contextlib
import functools
import struct

import numpy as np
import pytest
import tflite
from emit_cases import cases, one_node, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from scanlet.emit import seal
from scanlet.emit.flatbuffer import write_model
from scanlet.emit.flatbuffer_reader import read_model, refuse_foreign_operators, validate
from scanlet.emit.flatbuffer_walk import SCHEMA
from scanlet.emit.tflite.assembly import Assembly, FlatOperator, FlatTensor
from scanlet.emit.tflite.serialize import serialize
from scanlet.errors import ModelFileError
from scanlet.graph import Graph, Quantization, Tensor, constant
from scanlet.graph.operators import Conv1d, Linear, Reduce, Unary


@functools.cache
def small_model() -> bytes:
    graph = Graph([Tensor("x", (1, 8, 3))], [], [])
    y = graph.add(Conv1d(), [graph.inputs[0], constant("w", weights(4, 3, 3))], name="conv")
    y = graph.add(Reduce("mean", (1,)), [y], name="mean")
    graph.outputs = [graph.add(Linear(), [y, constant("v", weights(2, 4))], name="y")]
    return write_model(graph)


def flat(**changes: object) -> bytes:
    """A hand-made one-operator file, RELU, with parts of it replaced."""
    assembly = Assembly()
    assembly.tensors = [FlatTensor("x", (1, 4), "float32"), FlatTensor("y", (1, 4), "float32")]
    assembly.operators = [FlatOperator("RELU", 1, (0,), (1,), {})]
    for name, value in changes.items():
        if hasattr(assembly, name):
            setattr(assembly, name, value)
    inputs, outputs = changes.get("inputs", [0]), changes.get("outputs", [1])
    return serialize(assembly, inputs, outputs, description="", metadata={})


def test_it_agrees_with_the_generated_accessors():
    for data in (small_model(), *(write_model(case.graph) for case in cases())):
        description = validate(data, sealed=True)
        model = tflite.Model.GetRootAs(data, 0)
        subgraph = model.Subgraphs(0)
        assert len(description.tensors) == subgraph.TensorsLength()
        for i, tensor in enumerate(description.tensors):
            other = subgraph.Tensors(i)
            assert tensor.name.encode() == other.Name()
            assert tensor.shape == tuple(other.Shape(k) for k in range(other.ShapeLength()))
            content = model.Buffers(other.Buffer())
            assert (tensor.data or b"") == bytes(
                content.Data(k) for k in range(content.DataLength())
            )
        for i, op in enumerate(description.operators):
            other = subgraph.Operators(i)
            code = model.OperatorCodes(other.OpcodeIndex()).BuiltinCode()
            assert getattr(tflite.BuiltinOperator, op.name) == code
            assert op.inputs == list(other.InputsAsNumpy())
            assert op.outputs == list(other.OutputsAsNumpy())


def test_its_field_table_has_the_slots_of_the_schema():
    for table, fields in SCHEMA.items():
        for slot, field in enumerate(fields):
            if field is not None:
                name = "".join(part.capitalize() for part in field[0].split("_"))
                add = getattr(tflite, f"{table}Add{name}")
                assert _slot_of(add) == slot, f"{table}.{field[0]}"


def _slot_of(add) -> int:
    """The slot that a generated Add function writes."""

    class Recorder:
        def __getattr__(self, _name):
            return lambda slot, *_: slots.append(slot)

    slots: list[int] = []
    add(Recorder(), 0)
    return slots[0]


def test_options_are_read():
    (reshape, conv, *_) = read_model(small_model()).operators
    assert reshape.options == {"new_shape": [1, 1, 8, 3]}
    assert conv.options["stride_w"] == conv.options["dilation_w_factor"] == 1
    assert conv.options["padding"] == tflite.Padding.VALID


def test_every_truncation_is_refused():
    data = small_model()
    for length in range(len(data)):
        with pytest.raises(ModelFileError):
            validate(data[:length])


def test_every_changed_byte_of_a_sealed_file_is_noticed():
    data = small_model()
    rng = np.random.default_rng(0)
    for position in rng.permutation(len(data))[:600]:
        damaged = bytearray(data)
        damaged[position] ^= 1 << rng.integers(8)
        with pytest.raises(ModelFileError):
            validate(bytes(damaged), sealed=True)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_no_damage_raises_anything_but_a_model_file_error(data):
    damaged = bytearray(small_model())
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(damaged) - 4))
        if data.draw(st.booleans()):
            damaged[position] = data.draw(st.integers(0, 255))
        else:
            value = data.draw(st.sampled_from([0, 1, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
            struct.pack_into("<I", damaged, position // 4 * 4, value)
    with contextlib.suppress(ModelFileError):
        read_model(bytes(damaged))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(content):
    for data in (content, content[:4] + b"TFL3" + content[4:]):
        with pytest.raises(ModelFileError):
            read_model(data)


def test_a_file_of_overlapping_tables_is_refused_quickly():
    """Each tensor is fine; that all share one long vector would take hours and gigabytes."""
    scales = Quantization((1.0,) * 5000, (0,) * 5000, 0)
    count = 4000
    tensors = [FlatTensor("x", (5000,), "int8", None, scales)]
    tensors += [FlatTensor("y", (1,), "int8")] * (count - 1)
    data = bytearray(flat(tensors=tensors))
    subgraph = tflite.Model.GetRootAs(bytes(data), 0).Subgraphs(0)
    vector = subgraph._tab.Vector(subgraph._tab.Offset(4))
    target = subgraph._tab.Indirect(vector)
    for i in range(count):
        struct.pack_into("<I", data, vector + 4 * i, target - vector - 4 * i)
    with pytest.raises(ModelFileError, match="overlap"):
        read_model(bytes(data))


FLOAT4 = FlatTensor("x", (1, 4), "float32")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"inputs": [7]}, "index 7 of 2"),
        ({"inputs": [-1]}, "index -1"),
        ({"inputs": []}, "no input"),
        ({"inputs": [0, 0]}, "repeated"),
        ({"outputs": [9]}, "index 9"),
        ({"operators": []}, "never computed"),
        ({"operators": [FlatOperator("RELU", 1, (5,), (1,), {})]}, "input of RELU: index 5"),
        ({"operators": [FlatOperator("RELU", 1, (0,), (-1,), {})]}, "output of RELU: index -1"),
        ({"operators": [FlatOperator("RELU", 1, (), (1,), {})]}, "no input"),
        ({"operators": [FlatOperator("RELU", 1, (0,), (0,), {})]}, "once more"),
        ({"operators": [FlatOperator("RELU", 1, (1,), (1,), {})]}, "too early"),
        ({"tensors": [FLOAT4, FlatTensor("y", (0, 4), "float32")]}, "shape"),
        ({"tensors": [FLOAT4, FlatTensor("y", (1 << 30, 4), "float32")]}, "would take"),
        (
            {
                "tensors": [
                    FLOAT4,
                    FlatTensor("y", (1, 4), "float32"),
                    FlatTensor("c", (3,), "int8", b"ab"),
                ]
            },
            "buffer of 2",
        ),
        ({"tensors": [FLOAT4, FlatTensor("y", (1, 4), "float32", bytes(16))]}, "once more"),
        (
            {
                "tensors": [
                    FLOAT4,
                    FlatTensor("y", (1, 4), "int8", None, Quantization((0.0,), (0,))),
                ]
            },
            "quantization",
        ),
        (
            {
                "tensors": [
                    FLOAT4,
                    FlatTensor("y", (1, 4), "int8", None, Quantization((1.0, 1.0), (0, 0), 1)),
                ]
            },
            "2 scales",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_contradicts_itself_is_refused(changes, text):
    read_model(flat())
    with pytest.raises(ModelFileError, match=text):
        read_model(flat(**changes))


def test_another_identifier_or_schema_version_is_refused():
    data = small_model()
    with pytest.raises(ModelFileError, match="identifier"):
        read_model(data[:4] + b"TFL9" + data[8:])
    model = tflite.Model.GetRootAs(data, 0)
    at = model._tab.Pos + model._tab.Offset(4)
    with pytest.raises(ModelFileError, match="schema version 4"):
        read_model(data[:at] + struct.pack("<I", 4) + data[at + 4 :])


def test_a_misaligned_constant_is_refused_by_validate():
    data = small_model()
    model = tflite.Model.GetRootAs(data, 0)
    vector = model._tab.Vector(model._tab.Offset(12))
    table = model._tab.Indirect(vector + 4)  # buffer 1
    field = (
        table
        + struct.unpack_from("<H", data, table - struct.unpack_from("<i", data, table)[0] + 4)[0]
    )
    damaged = bytearray(data)
    content = field + struct.unpack_from("<I", data, field)[0]
    # Move the vector's header 4 bytes on, keeping its length: the content is then at 4 mod 16.
    struct.pack_into("<I", damaged, field, content + 4 - field)
    struct.pack_into("<I", damaged, content + 4, struct.unpack_from("<I", data, content)[0])
    start = damaged.index(seal.MAGIC)
    blank = damaged[: start + 12] + bytes(20) + damaged[start + 32 :]
    with pytest.raises(ModelFileError, match="aligned"):
        validate(seal.attach(bytes(blank)))


def test_a_damaged_parameter_block_is_refused():
    data = write_model(one_node(Unary("gelu"), (1, 4)))
    blank = bytearray(data)
    at = blank.index(b"SSM1")
    blank[at + 6] = 9
    start = blank.index(seal.MAGIC)
    blank[start + 12 : start + 32] = bytes(20)
    with pytest.raises(ModelFileError, match="parameter block"):
        validate(seal.attach(bytes(blank)))


def test_files_of_others_are_read_but_not_taken_for_ours():
    data = flat()
    assert validate(data).operator_counts == {"RELU": 1}
    with pytest.raises(ModelFileError, match="checksum"):
        validate(data, sealed=True)
    foreign = write_model(one_node(Unary("gelu"), (1, 4))).replace(
        b"SELECTIVE_SSM", b"SOMEBODY_ELSE"
    )
    with pytest.raises(ModelFileError, match="SOMEBODY_ELSE"):
        refuse_foreign_operators(read_model(foreign))
