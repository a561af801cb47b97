"""The project of target generic: built by CMake for this machine, tested, and written again."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from cmake_projects import (
    LABELS,
    cmake_build,
    command,
    compile_model,
    corrupt_golden_output,
    run,
    verdicts,
)
from torch import nn

import scanlet
from scanlet.errors import ProjectConflictError
from scanlet.nn import MambaMixer

CASES = [
    *(("generic", "float32", "sequence"), ("generic", "int8", "sequence")),
    *(("generic", "float32", "stream"), ("cortex-m4", "float32", "sequence")),
    *(("cortex-m55", "int8", "sequence"), ("rv32imc", "float32", "sequence")),
]
PRINTED = [0.0, 1.0, -1.0, 9.994, 9.996, 12345.0, 1.25e-5, -3.4e38, 1e-45, 0.999, 2.5e10]
PRINT_MAIN = """
#include <stdio.h>
#include "board.h"
#include "print.h"
void scanlet_board_write(const char* text, uint32_t length) { fwrite(text, 1, length, stdout); }
int main(void) {
  float value;
  while (fread(&value, sizeof value, 1, stdin) == 1) {
    print_float(value);
    print_text("\\n");
  }
  print_unsigned(0);
  print_text(" ");
  print_unsigned(4294967295u);
  print_text(" ");
  print_hex(0x0badcafeu);
  return 0;
}
"""


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiled = compile_model(*request.param)
    return compiled.save(tmp_path_factory.mktemp("library") / "p")


def test_every_golden_sample_passes_here_and_a_corrupted_one_fails(project):
    build = cmake_build(project)
    status, lines = run(build / "gestures")
    assert verdicts(lines) == ["PASS"] * 4
    assert status == 0
    assert all(line.endswith(tuple(LABELS)) for line in lines[2:5])
    assert "100% tests passed" in command("ctest", "--test-dir", build)
    corrupt_golden_output(project, 2)
    status, lines = run(cmake_build(project) / "gestures")
    assert verdicts(lines) == ["PASS", "PASS", "FAIL", "FAIL"]
    assert status == 1


def test_a_model_of_two_inputs_and_outputs_without_labels_passes(tmp_path):
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 8)
            self.mixer = MambaMixer(8, d_state=4)
            self.head = nn.Linear(8, 5)

        def forward(
            self, tokens: torch.Tensor, x: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            y = self.mixer(self.embedding(tokens) + x)
            return self.head(y), y.mean(1)

    torch.manual_seed(0)
    inputs = (torch.zeros(1, 6, dtype=torch.int32), torch.zeros(1, 6, 8))
    compiled = scanlet.compile(
        Two().eval(), inputs, target="generic", name="gestures", progress=False
    )
    project = compiled.save(tmp_path / "p")
    status, lines = run(cmake_build(project) / "gestures")
    assert verdicts(lines) == ["PASS"] * 4
    assert status == 0
    path = project / "self_test" / "golden.c"  # the second output counts as well
    text = re.sub(r"(output1_1\[8\] [^{]*\{\s*)[^,]+,", r"\g<1>9.0f,", path.read_text())
    path.write_text(text)
    status, lines = run(cmake_build(project) / "gestures")
    assert verdicts(lines) == ["PASS", "FAIL", "PASS", "FAIL"]
    assert status == 1


def test_the_library_is_part_of_someones_cmake_project(project, tmp_path):
    shutil.copytree(project / "library", tmp_path / "third_party" / "gestures")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(own C)\n"
        "add_subdirectory(third_party/gestures)\nadd_executable(own main.c)\n"
        "target_link_libraries(own PRIVATE gestures_model)\n"
    )
    (tmp_path / "main.c").write_text(
        '#include "gestures_model.h"\nint main(void) { gestures_init(); return 0; }\n'
    )
    assert run(cmake_build(tmp_path) / "own") == (0, [])


def test_a_project_is_updated_by_parts_and_edited_files_are_refused(tmp_path):
    first, second = compile_model("stm32h7"), compile_model("stm32h7", length=13)
    project = first.save(tmp_path / "p")
    board = project / "boards" / "stm32h743" / "board.c"
    main = project / "main" / "main.c"
    board.write_text("// my clocks\n")
    main.write_text("// my application\n")
    with pytest.raises(ProjectConflictError) as refusal:
        second.save(project)
    assert "boards/stm32h743/board.c" in str(refusal.value)
    assert "main/main.c" in str(refusal.value)
    header = project / "library" / "gestures_model.h"
    old = header.read_text()
    second.save(project, component_only=True)
    assert header.read_text() != old
    assert "INPUT_0_SIZE 104" in header.read_text()
    golden = (project / "self_test" / "golden.c").read_text()
    assert "input0_0[104]" in golden
    assert (board.read_text(), main.read_text()) == ("// my clocks\n", "// my application\n")
    second.save(project, force=True)
    assert main.with_name("main.c.bak").read_text() == "// my application\n"


@pytest.mark.parametrize("target", ["generic", "stm32h7"])
def test_the_readme_names_files_that_exist_and_commands_that_work(target, tmp_path):
    project = compile_model(target).save(tmp_path / "p")
    readme = (project / "README.md").read_text()
    table = re.findall(r"(?m)^\| (`[^|]*?) \|", readme[readme.index("## Files") :])
    named = {path for cell in table for path in re.findall(r"`([\w./-]+)`", cell)}
    assert len(named) >= 10
    assert [path for path in named if not (project / path).exists()] == []
    blocks = re.findall(r"```\n(cmake .*?)```", readme, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        for line in block.strip().splitlines():
            done = subprocess.run(line.split(), cwd=project, capture_output=True, check=False)
            assert done.returncode == 0, line


def test_numbers_are_printed_without_stdio(tmp_path):
    project = compile_model("generic").save(tmp_path / "p")
    (tmp_path / "main.c").write_text(PRINT_MAIN)
    folder = project / "self_test"
    sources = [tmp_path / "main.c", folder / "print.c"]
    command("gcc", "-std=c11", "-O2", f"-I{folder}", *sources, "-o", tmp_path / "print")
    values = np.array([*PRINTED, math.nan, math.inf, -math.inf], np.float32)
    said = subprocess.run(
        [str(tmp_path / "print")], input=values.tobytes(), capture_output=True, check=True
    ).stdout.decode()
    *numbers, last = said.splitlines()
    assert numbers[-3:] == ["nan", "inf", "-inf"]
    for text, value in zip(numbers[: len(PRINTED)], values, strict=False):
        assert re.fullmatch(r"-?\d\.\d\de-?\d+", text)
        assert float(text) == pytest.approx(float(value), rel=0.006)
    assert numbers[3:5] == ["9.99e0", "1.00e1"]
    assert last == "0 4294967295 0x0badcafe"
