"""The table of emitted operators against both interpreters."""

from __future__ import annotations

from pathlib import Path

import pytest
import tflite
from emit_cases import ARENA_BYTES, cases, one_node, weights
from emit_integer_cases import integer_cases, quantize
from tflite_micro.python.tflite_micro import runtime

from scanlet.emit.flatbuffer import write_model
from scanlet.emit.flatbuffer_reader import read_model
from scanlet.emit.operator_table import BUILTINS, DEVICE_LIBRARY_VERSION, required_resolver_methods
from scanlet.emit.tflite.assembly import Assembly, FlatTensor
from scanlet.emit.tflite.serialize import serialize
from scanlet.errors import ModelFileError
from scanlet.graph.operators import Linear, Unary

#: The Add... methods of MicroMutableOpResolver in espressif/esp-tflite-micro 1.4.0.
DEVICE_METHODS = frozenset(
    (Path(__file__).parent / f"resolver_methods_esp_tflite_micro_{DEVICE_LIBRARY_VERSION}.txt")
    .read_text()
    .split()
)


def test_the_device_library_registers_every_operator():
    missing = {e.name for e in BUILTINS.values() if e.resolver_method not in DEVICE_METHODS}
    assert not missing


def test_the_host_interpreter_runs_every_operator():
    ran = set()
    for case in (*cases(), *integer_cases("int8"), *integer_cases("int16x8")):
        data = write_model(case.graph)
        runtime.Interpreter.from_bytes(data, arena_size=ARENA_BYTES)  # raises for one it lacks
        ran.update(op.name for op in read_model(data).operators)
    data = write_model(quantize(one_node(Unary("exp"), (1, 4)), "int8").graph)
    runtime.Interpreter.from_bytes(data, arena_size=ARENA_BYTES)
    ran.update(op.name for op in read_model(data).operators)  # QUANTIZE, DEQUANTIZE
    assert ran == set(BUILTINS)


def test_the_host_interpreter_refuses_an_operator_that_it_lacks(monkeypatch, capfd):
    from scanlet.emit.operator_table import BuiltinEntry

    monkeypatch.setitem(BUILTINS, "GELU", BuiltinEntry("GELU", "AddGelu"))
    assembly = Assembly()
    assembly.tensors = [FlatTensor("x", (1, 4), "float32"), FlatTensor("y", (1, 4), "float32")]
    assembly.operator("GELU", [0], 1)
    data = serialize(assembly, [0], [1], description="", metadata={})
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(data, arena_size=ARENA_BYTES)
    assert "GELU" in capfd.readouterr().err


def test_reverse_is_not_emitted():
    assert "REVERSE_V2" not in BUILTINS


def test_codes_are_the_schema_s_and_unique():
    codes = [entry.code for entry in BUILTINS.values()]
    assert len(set(codes)) == len(codes)
    assert BUILTINS["RELU6"].code == tflite.BuiltinOperator.RELU6 == 21
    assert all(entry.deprecated_code <= 127 for entry in BUILTINS.values())
    assert all(
        e.options is None or hasattr(tflite.BuiltinOptions, e.options) for e in BUILTINS.values()
    )


def test_resolver_methods_are_just_those_needed():
    graph = one_node(Linear(), (1, 4), weights(3, 4))
    y = graph.add(Unary("tanh"), graph.outputs, name="a")
    y = graph.add(Unary("gelu"), [y], name="b")
    graph.outputs = [graph.add(Unary("tanh"), [y], name="c")]
    assert required_resolver_methods(write_model(graph)) == ["AddFullyConnected", "AddTanh"]


def test_resolver_methods_of_a_damaged_file_are_refused():
    with pytest.raises(ModelFileError):
        required_resolver_methods(b"\0" * 40)
