"""Live input: a user's source file makes the application run the model on what it returns."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from project_device import build_application, run_application, write_files

from scanlet.emit.project import ProjectSpec, render_project
from scanlet.emit.writer import write_project

#: A source that returns each golden sample once; the fake device knows what PyTorch makes of them.
SAMPLES_ONCE = """
#include "app_config.h"
#include "input_source.h"

const float* scanlet_next_input(size_t count) {
  static size_t next = 0;
  if (count * sizeof(float) != config::kInputBytes[0]) return nullptr;
  if (next == config::kGoldenCount) return nullptr;
  return static_cast<const float*>(config::kGoldenInputs[next++]);
}
"""


def project_with_source(spec: ProjectSpec, folder: Path) -> Path:
    project = write_files(render_project(spec), folder / "p")
    (project / "main" / "user").mkdir()
    (project / "main" / "user" / "samples.cc").write_text(SAMPLES_ONCE)
    return project


@pytest.fixture(scope="module")
def program(spec: ProjectSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live")
    return build_application(project_with_source(spec, folder), folder / "program")


def lines(output: bytes) -> list[str]:
    return output.decode().splitlines()


def test_class_and_score_of_each_recording_are_printed_then_the_port_is_served(
    program: Path, spec: ProjectSpec
) -> None:
    shown = lines(run_application(program))
    live = [line for line in shown if line.startswith("live: ")]
    assert len(live) == len(spec.golden_outputs)
    for line, (scores,) in zip(live, spec.golden_outputs, strict=True):
        label = spec.labels[int(np.argmax(scores))]
        assert re.fullmatch(rf"live: {re.escape(label)}, score {scores.max():.3f}, \d+ us", line)
    assert shown.index(live[-1]) < shown.index("ready: serving inference on this port")


@pytest.mark.parametrize("fault", ["nan", "infinite"])
def test_what_is_no_number_is_no_class(program: Path, spec: ProjectSpec, fault: str) -> None:
    shown = lines(run_application(program, fault))
    live = [line for line in shown if line.startswith("live: ")]
    assert live == ["live: no number comes out"] * len(spec.golden_outputs)


def test_without_labels_the_class_is_a_number(spec: ProjectSpec, tmp_path: Path) -> None:
    bare = dataclasses.replace(spec, labels=())
    output = run_application(
        build_application(project_with_source(bare, tmp_path), tmp_path / "program")
    )
    live = [line for line in lines(output) if line.startswith("live: ")]
    for line, (scores,) in zip(live, spec.golden_outputs, strict=True):
        assert line.startswith(f"live: class {int(np.argmax(scores))}, score {scores.max():.3f}, ")


def test_a_failing_inference_is_said_and_the_next_recording_is_taken(
    program: Path, spec: ProjectSpec
) -> None:
    shown = lines(run_application(program, "failing"))
    live = [line for line in shown if line.startswith("live: ")]
    assert live == ["live: the inference failed"] * len(spec.golden_inputs)
    assert "ready: serving inference on this port" in shown


def test_without_a_source_of_the_users_there_is_no_live_input(
    spec: ProjectSpec, tmp_path: Path
) -> None:
    project = write_files(render_project(spec), tmp_path / "p")
    shown = lines(run_application(build_application(project, tmp_path / "program")))
    assert not any(line.startswith("live: ") for line in shown)
    assert "ready: serving inference on this port" in shown


def test_a_c_file_can_be_the_source(spec: ProjectSpec, tmp_path: Path) -> None:
    header = tmp_path / "input_source.h"
    header.write_bytes(render_project(spec)["main/input_source.h"])
    source = tmp_path / "microphone.c"
    source.write_text(
        '#include "input_source.h"\n'
        "const float* scanlet_next_input(size_t count) { return count ? NULL : NULL; }\n"
    )
    flags = ("-std=c11", "-Wall", "-Wextra", "-Wstrict-prototypes", "-Werror", "-fsyntax-only")
    subprocess.run(["gcc", *flags, str(source)], check=True)


def test_the_build_takes_the_users_sources_instead_of_the_default(spec: ProjectSpec) -> None:
    cmake = render_project(spec)["main/CMakeLists.txt"].decode()
    (patterns,) = re.findall(r"file\(GLOB input_source\s(.*?)\)", cmake, re.DOTALL)
    assert patterns.split() == [
        f"${{CMAKE_CURRENT_LIST_DIR}}/user/*.{e}" for e in ("c", "cc", "cpp")
    ]
    assert "if(NOT input_source)\n    set(input_source no_input_source.cc)\nendif()" in cmake
    (sources,) = re.findall(r"SRCS\s(.*?)INCLUDE_DIRS", cmake, re.DOTALL)
    assert "${input_source}" in sources.split()
    assert "no_input_source.cc" not in sources.split()


def test_a_new_compilation_leaves_the_users_source_alone(
    spec: ProjectSpec, second_spec: ProjectSpec, tmp_path: Path
) -> None:
    write_project(tmp_path, render_project(spec))
    source = tmp_path / "main" / "user" / "microphone.cc"
    source.parent.mkdir()
    source.write_text(SAMPLES_ONCE)
    write_project(tmp_path, render_project(second_spec))
    assert source.read_text() == SAMPLES_ONCE


@pytest.fixture(scope="module")
def tensor_values(build_program) -> Path:
    return build_program("tensor_values_harness.cc", "tensor_values.cc")


def through_tensor(
    program: Path, values: np.ndarray, dtype: str, scale: float, zero_point: int
) -> tuple[np.ndarray, np.ndarray]:
    """What a tensor stores of float32 values, and the floats that are read from it."""
    header = f"{dtype} {scale!r} {zero_point} {values.size}\n".encode()
    done = subprocess.run(
        [str(program)], input=header + values.tobytes(), capture_output=True, check=True
    )
    size = values.size * np.dtype(dtype).itemsize
    return np.frombuffer(done.stdout[:size], dtype), np.frombuffer(done.stdout[size:], np.float32)


def test_a_float_model_gets_the_values_as_they_are(tensor_values: Path) -> None:
    values = np.array([0.1, -3e30, 1e-40, 7], np.float32)
    stored, read = through_tensor(tensor_values, values, "float32", 0.0, 0)
    np.testing.assert_array_equal(stored, values)
    np.testing.assert_array_equal(read, values)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_quantized_model_gets_the_nearest_value_it_can_store(tensor_values, data) -> None:
    dtype = data.draw(st.sampled_from(["int8", "int16"]))
    zero_point = data.draw(st.integers(-128, 127)) if dtype == "int8" else 0
    scale = 2.0 ** data.draw(st.integers(-12, 3))  # a power of two: the quotients are exact
    values = data.draw(hnp.arrays(np.float32, 20, elements=st.floats(-300, 300, width=32)))
    stored, read = through_tensor(tensor_values, values, dtype, scale, zero_point)
    limits = np.iinfo(dtype)
    lowest, highest = ((limit - zero_point) * scale for limit in (limits.min, limits.max))
    reachable = np.clip(values.astype(np.float64), lowest, highest)
    assert (np.abs(read - reachable) <= scale / 2).all()
    np.testing.assert_array_equal(read, (stored.astype(np.float64) - zero_point) * scale)


def test_what_cannot_be_stored_saturates(tensor_values: Path) -> None:
    values = np.array([np.inf, -np.inf, np.nan, 3e38, -3e38], np.float32)
    for dtype in ("int8", "int16"):
        stored, _ = through_tensor(tensor_values, values, dtype, 0.5, 3)
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        assert stored.tolist() == [high, low, low, high, low]
