"""Running flatbuffers in the real interpreter."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from execution_models import build, mixer, sample, shell

from scanlet.emit.flatbuffer import write_model
from scanlet.errors import ExecutionError, InputError, MissingToolError, ModelFileError
from scanlet.execution import wheel
from scanlet.execution.host import HostInterpreter, build_library
from scanlet.execution.worker import client
from scanlet.graph import Graph, Tensor, constant
from scanlet.graph.operators import Binary, Gather


def test_a_network_of_builtin_operators_runs_without_a_library():
    graph = shell()
    x = sample(graph)
    (y,) = HostInterpreter(write_model(graph), None).run(x)
    np.testing.assert_allclose(y, graph.evaluate([x])[0], atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 5, 6, 33])
def test_a_mixer_computes_its_numpy_meaning(length):
    graph = mixer(length, gelu=True)
    x = sample(graph)
    (y,) = HostInterpreter(*build(graph)).run(x)
    np.testing.assert_allclose(y, graph.evaluate([x])[0], atol=1e-5)


def test_one_library_serves_every_length():
    assert build(mixer(6))[1] == build(mixer(60))[1]


def test_outputs_are_copies():
    graph = shell()
    interpreter = HostInterpreter(write_model(graph), None)
    (first,) = interpreter.run(sample(graph, 1))
    kept = first.copy()
    interpreter.run(sample(graph, 2))
    np.testing.assert_array_equal(first, kept)


def test_several_inputs_keep_their_order():
    graph = Graph([Tensor("a", (1, 3)), Tensor("b", (1, 3))], [], [])
    graph.outputs = [graph.add(Binary("sub"), graph.inputs, name="y")]
    a, b = np.float32([[1, 2, 3]]), np.float32([[10, 10, 10]])
    (y,) = HostInterpreter(write_model(graph), None).run(a, b)
    np.testing.assert_array_equal(y, a - b)


def test_stream_chunks_carry_the_state_until_reset():
    whole, chunk = mixer(12), mixer(4, mode="stream")
    x = sample(whole)
    (expected,) = whole.evaluate([x])
    tolerance = 8 * np.finfo(np.float32).eps * np.abs(expected).max()  # outputs reach 22
    interpreter = HostInterpreter(*build(chunk))
    for _ in range(2):
        parts = [interpreter.run(x[:, t : t + 4])[0] for t in range(0, 12, 4)]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, rtol=0, atol=tolerance)
        interpreter.reset()


def test_two_models_live_in_one_process():
    graphs = [mixer(d_inner=8), mixer(d_inner=6, d_model=3)]
    interpreters = [HostInterpreter(*build(g, name)) for g, name in zip(graphs, "ab", strict=True)]
    for seed in range(2):
        for graph, interpreter in zip(graphs, interpreters, strict=True):
            x = sample(graph, seed)
            np.testing.assert_allclose(interpreter.run(x)[0], graph.evaluate([x])[0], atol=1e-5)


def test_an_operator_of_another_model_is_refused():
    tflite, _ = build(mixer(d_inner=8))
    _, other = build(mixer(d_inner=6))
    with pytest.raises(ExecutionError, match=r"SELECTIVE_SSM: .*not generated for"):
        HostInterpreter(tflite, other)


def test_a_mixer_without_its_library_is_refused():
    tflite, _ = build(mixer())
    with pytest.raises(ExecutionError, match="no operator library"):
        HostInterpreter(tflite, None)


def test_a_library_that_crashes_is_an_error_and_not_the_end():
    crash = """
    extern "C" __attribute__((visibility("default"))) bool SCANLET_HOST_REGISTERER(void*) {
      __builtin_trap();
    }
    """
    library = build_library({"crash.cc": crash}, name="crash")
    tflite, _ = build(mixer())
    with pytest.raises(ExecutionError, match="crashed on this model"):
        HostInterpreter(tflite, library)


def test_a_library_that_does_not_register_is_refused_with_its_words():
    silent = """
    #include <stdio.h>
    extern "C" __attribute__((visibility("default"))) bool SCANLET_HOST_REGISTERER(void*) {
      fprintf(stderr, "SELECTIVE_SSM: not today\\n");
      return false;
    }
    """
    library = build_library({"silent.cc": silent}, name="silent")
    tflite, _ = build(mixer())
    with pytest.raises(ExecutionError, match="SELECTIVE_SSM: not today"):
        HostInterpreter(tflite, library)


def test_damaged_bytes_never_reach_the_interpreter():
    data = bytearray(write_model(shell()))
    data[len(data) // 2] ^= 0x10
    with pytest.raises(ModelFileError):
        HostInterpreter(bytes(data), None)
    with pytest.raises(ModelFileError):
        HostInterpreter(bytes(data[:100]), None)


@pytest.fixture(scope="module")
def interpreter():
    return HostInterpreter(write_model(shell()), None)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ((), "1 inputs expected, got 0"),
        ((np.zeros((1, 8, 3), np.float32),) * 2, "got 2"),
        ((np.zeros((1, 9, 3), np.float32),), r"shape \(1, 9, 3\), expected \(1, 8, 3\)"),
        ((np.zeros((8, 3), np.float32),), "shape"),
        ((np.zeros((1, 8, 3)),), "float64, expected float32"),
        ((np.zeros((1, 8, 3), np.int32),), "int32, expected float32"),
    ],
    ids=["none", "two", "length", "rank", "float64", "int32"],
)
def test_an_input_that_does_not_fit_is_refused(interpreter, inputs, text):
    with pytest.raises(InputError, match=text):
        interpreter.run(*inputs)


def test_nan_and_strided_inputs_are_allowed(interpreter):
    x = sample(shell())
    strided = np.asfortranarray(x)
    np.testing.assert_array_equal(interpreter.run(strided)[0], interpreter.run(x)[0])
    x[0, 0, 0] = np.nan
    assert np.isnan(interpreter.run(x)[0]).any()


def test_indices_out_of_the_table_are_refused():
    tokens = Tensor("tokens", (1, 2), "int32")
    graph = Graph([tokens], [], [])
    table = constant("table", np.arange(6.0).reshape(3, 2))
    graph.outputs = [graph.add(Gather(0), [table, tokens], name="y", dtype="float32")]
    interpreter = HostInterpreter(write_model(graph), None)
    (y,) = interpreter.run(np.array([[2, 0]], np.int32))
    np.testing.assert_array_equal(y, [[[4, 5], [0, 1]]])
    for bad in (3, -1):
        with pytest.raises(InputError, match="table has 3 rows"):
            interpreter.run(np.array([[0, bad]], np.int32))


def test_a_missing_wheel_says_what_still_works(monkeypatch):
    def nothing(_name):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", nothing)
    with pytest.raises(MissingToolError, match="not installed"):
        build_library({"a.c": ""}, name="never_compiled")
    with pytest.raises(MissingToolError, match="not installed") as caught:
        HostInterpreter(write_model(shell()), None)
    assert "compiling and saving the project works" in str(caught.value)


def test_another_version_of_the_wheel_is_refused(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda _name: "0.dev1")
    with pytest.raises(MissingToolError, match=r"0\.dev1"):
        HostInterpreter(write_model(shell()), None)


def test_a_wheel_that_does_not_load_is_reported(monkeypatch, tmp_path):
    """What the worker's template finds, which starts with this process's module path."""
    package = tmp_path / "tflite_micro"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('undefined symbol: PyWhatever')")
    monkeypatch.syspath_prepend(tmp_path)
    client.shut_down()
    with pytest.raises(MissingToolError, match="PyWhatever"):
        HostInterpreter(write_model(shell()), None)


def test_the_pinned_version_is_the_one_that_is_declared():
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'"tflite-micro=={wheel.PINNED_VERSION};' in pyproject


def test_running_leaves_standard_error_alone(interpreter, capfd):
    os.write(2, b"before ")
    interpreter.run(sample(shell()))
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"
