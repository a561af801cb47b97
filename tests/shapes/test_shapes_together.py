"""Several models, and several streams of one, in one process and in one C program."""

from __future__ import annotations

import gc
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from shape_executions import compile_shape
from shape_models import Shape, samples, torch_model

import scanlet
from scanlet.emit.generic.source import C_TYPES, render_generic
from scanlet.execution.host import HostInterpreter, build_library
from scanlet.graph import Graph
from scanlet.planning.plan import make_plan
from scanlet.targets import find

FLOAT_STREAM = Shape(d_model=7, d_state=5, length=3, chunks=4, mode="stream", seed=1)
#: All kinds of operators, numbers and modes, some of the same shape but for the weights.
KINDS = {
    "first": FLOAT_STREAM,
    "second": Shape(d_model=7, d_state=5, length=3, chunks=4, mode="stream", seed=2),
    "whole": Shape(d_model=9, length=6, norm="rms", pooling="mean", features=4, classes=3),
    "short": Shape(d_model=9, length=6, precision="int8", norm="rms"),
    "wide": Shape(d_model=6, length=2, chunks=3, precision="int16x8", mode="stream"),
    "heads": Shape(kind="mamba2", d_model=8, length=3, chunks=2, mode="stream"),
    "plain": Shape(kind="diagonal", d_model=6, length=5),
}


@cache
def compiled(shape: Shape) -> scanlet.Compiled:
    return compile_shape(shape, torch_model(shape))


def interpreter(model: scanlet.Compiled) -> HostInterpreter:
    return HostInterpreter(model.tflite, build_library(model.component, name=model.name))


def stored_chunks(shape: Shape, seed: int) -> list[list[np.ndarray]]:
    (x,) = samples(shape, 1, seed)
    return [compiled(shape).stored_inputs([part]) for part in np.split(x, shape.chunks, axis=1)]


def alone(shape: Shape, seed: int) -> list[np.ndarray]:
    """The outputs of a stream that nothing else runs beside."""
    model = compiled(shape)
    model.reset()
    return [model.interpreter.run(*inputs)[0] for inputs in stored_chunks(shape, seed)]


def test_two_streams_of_one_model_do_not_share_their_state() -> None:
    expected = [alone(FLOAT_STREAM, seed) for seed in (3, 4)]
    streams = [interpreter(compiled(FLOAT_STREAM)) for _ in expected]
    chunks = [stored_chunks(FLOAT_STREAM, seed) for seed in (3, 4)]
    for step in range(FLOAT_STREAM.chunks):
        for stream, inputs, outputs in zip(streams, chunks, expected, strict=True):
            np.testing.assert_array_equal(stream.run(*inputs[step])[0], outputs[step])


def test_a_project_opened_twice_is_two_streams(tmp_path: Path) -> None:
    folder = compiled(FLOAT_STREAM).save(tmp_path / "p")
    one, other = scanlet.open(folder), scanlet.open(folder)
    expected = alone(FLOAT_STREAM, 3)
    (x,) = samples(FLOAT_STREAM, 1, 3)
    first, second = x[:, :3], x[:, 3:6]
    np.testing.assert_array_equal(one.run(first), expected[0])
    np.testing.assert_array_equal(other.run(first), expected[0])
    np.testing.assert_array_equal(one.run(second), expected[1])
    one.reset()
    np.testing.assert_array_equal(other.run(second), expected[1])
    del one
    gc.collect()
    np.testing.assert_array_equal(other.run(x[:, 6:9]), expected[2])


def test_models_of_every_kind_take_turns() -> None:
    expected = {name: alone(shape, 5) for name, shape in KINDS.items()}
    models = {name: interpreter(compiled(shape)) for name, shape in KINDS.items()}
    for step in range(4):
        for name, shape in KINDS.items():
            if step < shape.chunks:
                (y,) = models[name].run(*stored_chunks(shape, 5)[step])
                np.testing.assert_array_equal(y, expected[name][step], name)
    for name in list(models)[::2]:
        del models[name]
    gc.collect()
    for name, model in models.items():
        model.reset()
        (y,) = model.run(*stored_chunks(KINDS[name], 5)[0])
        np.testing.assert_array_equal(y, expected[name][0], name)


def test_threads_with_a_model_each_do_not_disturb_each_other() -> None:
    expected = {name: alone(shape, 6) for name, shape in KINDS.items()}
    chunks = {name: stored_chunks(shape, 6) for name, shape in KINDS.items()}

    def stream(name: str) -> None:
        model = interpreter(compiled(KINDS[name]))
        for _ in range(20):
            model.reset()
            for inputs, output in zip(chunks[name], expected[name], strict=True):
                np.testing.assert_array_equal(model.run(*inputs)[0], output, name)

    with ThreadPoolExecutor(len(KINDS)) as pool:
        list(pool.map(stream, KINDS))


@pytest.mark.parametrize("name", ["whole", "short", "plain"])
def test_threads_that_share_a_model_get_their_own_answers(name: str, tmp_path: Path) -> None:
    opened = scanlet.open(compiled(KINDS[name]).save(tmp_path / "p"))
    inputs = samples(KINDS[name], 8, 7)
    expected = [compiled(KINDS[name]).run(x) for x in inputs]

    def run(i: int) -> np.ndarray:  # the first ones build the interpreter
        return opened.run(inputs[i % len(inputs)])

    with ThreadPoolExecutor(8) as pool:
        for i, y in enumerate(pool.map(run, range(200))):
            np.testing.assert_array_equal(y, expected[i % len(inputs)])


MAIN = """
#include <stdint.h>
#include <stdio.h>
{includes}

int main(void) {{
{inits}
  for (int which; (which = getchar()) != EOF;) {{
    switch (which) {{
{cases}
      default:
        return 4;
    }}
  }}
  return 0;
}}
"""
CASE = """      case {index}: {{
        static {input_type} x[{inputs}];
        static {output_type} y[{outputs}];
        if (fread(x, sizeof x, 1, stdin) != 1) return 2;
        if ({name}_run(x, y) != 0) return 3;
        fwrite(y, sizeof y, 1, stdout);
        break;
      }}
      case {index} + 64:
        {name}_reset();
        break;"""
FLAGS = (
    *("-std=c11", "-g", "-O0", "-ffp-contract=off", "-Wall", "-Wextra", "-Wshadow"),
    *("-Wconversion", "-Wdouble-promotion", "-Wvla", "-Wmissing-prototypes", "-Werror"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover"),
)


def test_libraries_of_every_kind_link_into_one_program(tmp_path: Path) -> None:
    """Each with its own prefix; the headers that they share are the same for all."""
    graphs: dict[str, Graph] = {}
    files: dict[str, str] = {}
    for name, shape in KINDS.items():
        graph = compiled(shape).graph
        assert graph is not None
        graphs[name] = graph
        plan = make_plan(graph, find("generic"), tile=shape.tile)
        for path, text in render_generic(graph, plan, name=name).items():
            assert files.setdefault(path, text) == text, f"{path} of {name}"
    cases = [
        CASE.format(
            index=index,
            name=name,
            input_type=C_TYPES[graph.inputs[0].dtype],
            output_type=C_TYPES[graph.outputs[0].dtype],
            inputs=graph.inputs[0].size,
            outputs=graph.outputs[0].size,
        )
        for index, (name, graph) in enumerate(graphs.items())
    ]
    files["main.c"] = MAIN.format(
        includes="\n".join(f'#include "{name}_model.h"' for name in graphs),
        inits="\n".join(f"  {name}_init();" for name in graphs),
        cases="\n".join(cases),
    )
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    sources = sorted(path.name for path in tmp_path.glob("*.c"))
    subprocess.run(["gcc", *FLAGS, *sources, "-o", "run"], cwd=tmp_path, check=True)

    # Rounds of one chunk a model, twice, with resets between.
    expected = {name: alone(shape, 8) for name, shape in KINDS.items()}
    asked, outputs = bytearray(), []
    for _ in range(2):
        for step in range(4):
            for index, (name, shape) in enumerate(KINDS.items()):
                if step < shape.chunks:
                    asked += bytes([index]) + stored_chunks(shape, 8)[step][0].tobytes()
                    outputs.append((name, expected[name][step]))
        asked += bytes(index + 64 for index in range(len(KINDS)))
    done = subprocess.run(["./run"], cwd=tmp_path, input=asked, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    at = 0
    for name, output in outputs:
        got = np.frombuffer(done.stdout[at : at + output.nbytes], output.dtype)
        at += output.nbytes
        if KINDS[name].precision == "float32" and KINDS[name].classes:
            np.testing.assert_allclose(got, output.ravel(), rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(got, output.ravel(), name)
    assert at == len(done.stdout)
