"""The files of a project: which there are, what they hold, what is refused."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
from project_device import CXX_FLAGS, includes, run_compiler, write_files

from scanlet.emit.project import GOLDEN_FLASH_BYTES, TensorSpec, application_sources, render_project
from scanlet.errors import EmitError
from scanlet.targets import find

APPLICATION = {
    *("CMakeLists.txt", "sdkconfig.defaults", "partitions.csv", "README.md"),
    *("main/main.cc", "main/CMakeLists.txt", "main/idf_component.yml", "main/app_config.h"),
}
MODEL = {
    *("model/model.tflite", "model/model_data.cc", "model/model_data.h", "model/model_config.h"),
    *("model/golden.cc", "model/golden.h", "model/operators.cc", "model/operators.h"),
    *("report.html", "report.json"),
}
COMPONENT = "components/selective_ssm/"


def test_an_esp_project_is_complete(spec):
    files = render_project(spec)
    assert set(files) >= APPLICATION | MODEL
    assert {f"main/{name}" for name in application_sources()} <= set(files)
    assert {COMPONENT + path for path in spec.component} <= set(files)
    assert COMPONENT + "CMakeLists.txt" in files
    assert files["model/model.tflite"] == spec.tflite
    assert json.loads(files["report.json"]) == spec.report
    assert all(not path.startswith(("/", "..")) for path in files)


def test_the_component_alone_touches_neither_application_nor_build_files(spec):
    files = render_project(spec, component_only=True)
    assert {path.split("/")[0] for path in files} == {
        *("components", "model", "report.html", "report.json")
    }
    everything = render_project(spec)
    assert files == {path: everything[path] for path in files}


def test_a_library_has_component_model_and_report_but_no_application(spec):
    files = render_project(dataclasses.replace(spec, target=find("stm32h7")))
    assert set(files) >= MODEL | {"README.md"}
    assert not any(path.startswith(("main/", "sdkconfig", "partitions")) for path in files)
    assert "CMakeLists.txt" not in files
    readme = files["README.md"].decode()
    assert "idf.py" not in readme
    assert "Serial protocol" not in readme


def test_rendering_is_reproducible(spec):
    assert render_project(spec) == render_project(spec)


def test_the_flatbuffer_array_holds_the_flatbuffer(spec):
    text = render_project(spec)["model/model_data.cc"].decode()
    body = text.split("{\n", 2)[2].split("};")[0]
    assert bytes(int(item, 16) for item in body.replace("\n", "").split(",") if item.strip()) == (
        spec.tflite
    )
    assert "alignas(16) const unsigned char kModel" in text


def test_a_model_without_generated_operator_has_no_component(spec):
    files = render_project(dataclasses.replace(spec, component={}))
    assert not any(path.startswith("components/") for path in files)
    assert b"AddCustom" not in files["model/operators.cc"]
    count = len(spec.resolver_methods)
    assert f"MicroMutableOpResolver<{count}>" in files["model/operators.h"].decode()
    assert "selective_ssm" not in files["README.md"].decode()


def test_the_resolver_has_room_for_exactly_the_operators_used(spec):
    header = render_project(spec)["model/operators.h"].decode()
    source = render_project(spec)["model/operators.cc"].decode()
    assert source.count("operators->Add") == len(spec.resolver_methods) + 1
    assert f"MicroMutableOpResolver<{len(spec.resolver_methods) + 1}>" in header


def test_golden_vectors_beyond_the_flash_set_aside_are_left_out(spec):
    length = GOLDEN_FLASH_BYTES // 8  # half of it as float32
    tensors = (TensorSpec("x", (1, length), "float32"),)
    output = (TensorSpec("y", (1, 1), "float32"),)
    large = dataclasses.replace(
        spec,
        inputs=tensors,
        outputs=output,
        golden_inputs=[(np.zeros((1, length), np.float32),)] * 3,
        golden_outputs=[(np.zeros((1, 1), np.float32),)] * 3,
    )
    header = render_project(large)["model/golden.h"].decode()
    assert "kGoldenCount = 1;" in header
    assert "2 more" in header


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "9lives"}, "cannot prefix"),
        ({"name": "a b"}, "cannot prefix"),
        ({"golden_outputs": []}, "3 golden inputs, 0 golden outputs"),
        ({"golden_inputs": [()] * 3}, "0 arrays for 1 tensors"),
        ({"golden_inputs": [(np.zeros((1, 7, 4), np.float32),)] * 3}, r"\(1, 7, 4\)"),
        ({"golden_inputs": [(np.zeros((1, 6, 4), np.int8),)] * 3}, "int8"),
        ({"golden_inputs": [(np.full((1, 6, 4), np.nan),)] * 3}, "NaN"),
    ],
)
def test_a_specification_that_contradicts_itself_is_refused(spec, change, text):
    with pytest.raises(EmitError, match=text):
        render_project(dataclasses.replace(spec, **change))


def test_the_readmes_way_of_calling_the_model_compiles(spec, tmp_path):
    project = write_files(render_project(spec), tmp_path / "p")
    readme = (project / "README.md").read_text()
    (code,) = [part.split("```")[0] for part in readme.split("```cpp\n")[1:]]
    (tmp_path / "own.cc").write_text(code)
    own = tmp_path / "own.cc"
    run_compiler(["g++", *CXX_FLAGS, "-fsyntax-only", *includes(project), own])


def test_the_readme_states_sizes_classes_and_quantization(spec):
    text = render_project(spec)["README.md"].decode()
    assert "idf.py set-target esp32s3 build flash monitor" in text
    assert "96 bytes" in text  # the input: 6 x 4 floats
    assert 'Class 1: Fährt "Rad"' in text
    quantized = dataclasses.replace(
        spec, inputs=(dataclasses.replace(spec.inputs[0], scale=0.5, zero_point=-3),)
    )
    files = render_project(quantized)
    assert "value = 0.5 * (stored + 3)" in files["README.md"].decode()
    assert b"input0.scale=0.5" in files["model/model_config.h"]
    assert b"input0.zero_point=-3" in files["model/model_config.h"]


def test_the_readme_names_files_that_exist(files):
    table = re.findall(r"(?m)^\| (`.*?) \|", files["README.md"].decode())
    named = {path for cell in table for path in re.findall(r"`([\w./]+)`", cell) if "/" in path}
    assert len(named) >= 6
    # model/golden/ is filled with the arrays by project_files.
    for path in named - {"model/golden/"}:
        assert any(file.startswith(path) for file in files), path


def test_the_arena_is_the_need_and_the_stated_margin(spec, files):
    config = files["model/model_config.h"].decode()
    assert f"kArenaNeededBytes = {spec.arena_bytes};" in config
    assert f"kArenaMarginBytes = {spec.arena_margin_bytes};" in config
    assert "kArenaBytes = kArenaNeededBytes + kArenaMarginBytes;" in config
    assert "esp-nn" in config
    assert b"alignas(16) uint8_t g_arena[config::kArenaBytes];" in files["main/main.cc"]


def test_the_application_neither_restarts_nor_allocates(files):
    forbidden = r"\b(abort|assert|esp_restart|exit|throw|malloc|new|ESP_ERROR_CHECK)\b"
    for path, content in files.items():
        if path.startswith("main/") and path.endswith((".cc", ".c", ".h")):
            code = re.sub(r'//.*|"(\\.|[^"\\])*"', "", content.decode())
            assert not re.search(forbidden, code), path


def test_rendered_text_is_tidy(files):
    for path, content in files.items():
        if path.endswith((".tflite", ".html", ".json")):
            continue
        assert not re.search(rb"(?m)[ \t]+$", content), path
        assert content.endswith(b"\n"), path
        assert not content.endswith(b"\n\n"), path
