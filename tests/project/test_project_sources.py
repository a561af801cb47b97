"""Generated and skeleton sources compile as far as headers allow, and hold what they should."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest
from project_device import CXX_FLAGS, HERE, includes, run_compiler, write_files

from scanlet.emit.project import ProjectSpec, render_project

STRICT_C = (
    *("-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wdouble-promotion", "-Wvla"),
    "-Werror",
)
COMPONENT = Path("components") / "selective_ssm"
#: A program with two models: registers both, and writes both flatbuffers.
TWO_MODELS = """
#include <cstdio>
#include "FIRST/model/golden.h"
#include "FIRST/model/model_config.h"
#include "FIRST/model/model_data.h"
#include "FIRST/model/operators.h"
#include "SECOND/model/golden.h"
#include "SECOND/model/model_config.h"
#include "SECOND/model/model_data.h"
#include "SECOND/model/operators.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"
#include "tensorflow/lite/micro/micro_context.h"

namespace tflite {
void* MicroContextAllocatePersistentBuffer(TfLiteContext*, size_t) { return nullptr; }
TfLiteStatus MicroContextRequestScratchBufferInArena(TfLiteContext*, size_t, int*) {
  return kTfLiteError;
}
void* MicroContextGetScratchBuffer(TfLiteContext*, int) { return nullptr; }
void MicroContextReportOpError(TfLiteContext*, const char*, ...) {}
namespace micro {
TFLMRegistration RegisterOp(void* (*)(TfLiteContext*, const char*, size_t),
                            TfLiteStatus (*)(TfLiteContext*, TfLiteNode*),
                            TfLiteStatus (*)(TfLiteContext*, TfLiteNode*),
                            void (*)(TfLiteContext*, void*), void (*)(TfLiteContext*, void*)) {
  return {};
}
const TfLiteEvalTensor* GetEvalInput(const TfLiteContext*, const TfLiteNode*, int) {
  return nullptr;
}
TfLiteEvalTensor* GetEvalOutput(const TfLiteContext*, const TfLiteNode*, int) { return nullptr; }
}  // namespace micro
}  // namespace tflite

int main() {
  gestures_model::Operators first;
  words_model::Operators second;
  if (!gestures_model::RegisterOperators(&first)) return 2;
  if (!words_model::RegisterOperators(&second)) return 3;
  std::fwrite(gestures_model::kModel, 1, gestures_model::kModelBytes, stdout);
  std::fwrite(words_model::kModel, 1, words_model::kModelBytes, stdout);
  return 0;
}
"""


@pytest.fixture(scope="module")
def project(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(files, tmp_path_factory.mktemp("sources"))


def check_syntax(project: Path, sources: list[Path], *flags: str, idf: str = "5_3") -> None:
    stubs = (HERE / "stubs", HERE / f"stubs_idf_{idf}")
    assert sources
    command = ["g++", *CXX_FLAGS, "-fsyntax-only", *flags, *includes(project, stubs)]
    run_compiler([*command, *sources])


@pytest.mark.parametrize("idf", ["5_1", "5_3"])
@pytest.mark.parametrize(
    "console",
    [
        ("-DCONFIG_ESP_CONSOLE_UART=1", "-DCONFIG_ESP_CONSOLE_UART_NUM=0"),
        ("-DCONFIG_ESP_CONSOLE_USB_SERIAL_JTAG=1",),
        (),
    ],
    ids=["uart", "usb-serial-jtag", "other"],
)
def test_the_console_compiles_for_each_port_and_release(project, console, idf):
    check_syntax(project, [project / "main" / "console.cc"], *console, idf=idf)


@pytest.mark.parametrize("standard", ["c++14", "c++17", "gnu++20"])
def test_all_cxx_compiles_against_the_declared_interface(project, standard):
    sources = [*project.glob("main/*.cc"), *project.glob("model/*.cc")]
    sources += (project / COMPONENT).glob("*.cc")
    assert len(sources) == 12
    check_syntax(project, sources, f"-std={standard}")


def test_an_application_without_golden_vectors_or_labels_compiles(spec, tmp_path):
    bare = dataclasses.replace(spec, golden_inputs=(), golden_outputs=(), labels=())
    project = write_files(render_project(bare), tmp_path)
    check_syntax(project, [*project.glob("main/*.cc"), *project.glob("model/*.cc")])


def test_a_model_without_generated_operator_compiles(spec, tmp_path):
    project = write_files(render_project(dataclasses.replace(spec, component={})), tmp_path)
    check_syntax(project, [*project.glob("main/*.cc"), *project.glob("model/*.cc")])
    none = dataclasses.replace(spec, component={}, resolver_methods=[])
    project = write_files(render_project(none), tmp_path)
    check_syntax(project, [project / "model" / "operators.cc"])


def test_the_operator_compiles_without_any_tflm_header(project):
    (source,) = (project / COMPONENT).glob("*.c")
    folder = project / COMPONENT
    run_compiler(["gcc", *STRICT_C, "-fsyntax-only", f"-I{folder}", source])
    listed = subprocess.run(
        ["gcc", "-M", f"-I{folder}", source], capture_output=True, text=True, check=True
    ).stdout
    assert "kernels/" in listed
    assert "tensorflow" not in listed


@pytest.mark.parametrize("fused", [0, 1])
def test_the_operator_compiles_with_the_components_own_options(project, fused, tmp_path):
    (source,) = (project / COMPONENT).glob("*.c")
    options = ("-O2", "-ffp-contract=off", "-fno-math-errno", f"-DSCANLET_FUSED_MADD={fused}")
    text = (project / COMPONENT / "CMakeLists.txt").read_text()
    assert all(option in text for option in options[:3])
    run_compiler(["gcc", *STRICT_C, *options, "-c", source, "-o", tmp_path / "operator.o"])


def test_the_firmware_holds_the_flatbuffer_and_the_golden_vectors_aligned(project, spec, tmp_path):
    program = tmp_path / "data"
    sources = [HERE / "data_harness.cc", *(project / "model").glob("[gm]*.cc")]
    run_compiler(["g++", *CXX_FLAGS, *includes(project), *sources, "-o", program])
    held = subprocess.run([str(program)], capture_output=True, check=True).stdout
    expected = spec.tflite
    for inputs, outputs in zip(spec.golden_inputs, spec.golden_outputs, strict=True):
        for array in (*inputs, *outputs):
            expected += np.asarray(array, np.float32).tobytes()
    assert held == expected


def test_two_models_link_into_one_program(spec, second_spec: ProjectSpec, tmp_path):
    sources, objects = [tmp_path / "main.cc"], []
    for one, folder in ((spec, tmp_path / "first"), (second_spec, tmp_path / "second")):
        write_files(render_project(one), folder)
        for source in (*folder.glob("model/*.cc"), *(folder / COMPONENT).glob("*.c*")):
            objects.append(tmp_path / f"{folder.name}_{source.stem}{source.suffix}.o")
            compiler = ["gcc", "-std=c11"] if source.suffix == ".c" else ["g++", *CXX_FLAGS]
            run_compiler([*compiler, *includes(folder), "-c", source, "-o", objects[-1]])
    text = TWO_MODELS.replace("FIRST", str(tmp_path / "first"))
    sources[0].write_text(text.replace("SECOND", str(tmp_path / "second")))
    program = tmp_path / "both"
    stubs = f"-I{HERE / 'stubs'}"
    run_compiler(["g++", *CXX_FLAGS, stubs, *sources, *objects, "-o", program, "-lm"])
    held = subprocess.run([str(program)], capture_output=True, check=True).stdout
    assert held == spec.tflite + second_spec.tflite
