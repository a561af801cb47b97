"""The firmware of target stm32h7 is built for the emulated Cortex-M7 and runs there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from cmake_projects import (
    LABELS,
    cmake_build,
    command,
    compile_model,
    corrupt_golden_output,
    run_emulated,
    verdicts,
)

BOARD = "mps2-an500"
CASES = [
    ("float32", "sequence"),
    ("int8", "sequence"),
    ("int16x8", "sequence"),
    ("float32", "stream"),
    ("int8", "stream"),
]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiled = compile_model("stm32h7", *request.param)
    return compiled.save(tmp_path_factory.mktemp("firmware") / "p")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The float project, built once for those that change a file of it."""
    project = compile_model("stm32h7").save(tmp_path_factory.mktemp("plain") / "p")
    cmake_build(project, BOARD)
    return project


def changed(project: Path, tmp_path: Path, main: str) -> tuple[int, list[str]]:
    """What the firmware prints with another main."""
    copy = tmp_path / "p"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("build"))
    (copy / "main" / "main.c").write_text(main)
    return run_emulated(cmake_build(copy, BOARD))


def test_every_golden_sample_passes_and_a_corrupted_one_fails(project):
    status, lines = run_emulated(cmake_build(project, BOARD))
    assert verdicts(lines) == ["PASS"] * 4
    assert status == 0
    report = json.loads((project / "report.json").read_text())
    integers = report["precision"] != "float32"
    for line in lines[2:5]:
        assert line.endswith(tuple(LABELS))
        if integers:  # one step where the NumPy meaning of a Linear rounds otherwise
            assert re.search(r"max difference [01] \(accepted 2\)", line)
        else:
            error = float(re.findall(r"max error (\S+)", line)[0])
            assert error < 1e-5
    assert re.fullmatch(r"latency: \d+ us per inference \(shortest .* of 10\)", lines[6])

    corrupt_golden_output(project, 1)
    status, lines = run_emulated(cmake_build(project, BOARD))
    assert verdicts(lines) == ["PASS", "FAIL", "PASS", "FAIL"]
    assert "self-test: FAIL (2 of 3)" in lines
    assert status == 1


def test_ctest_runs_it_on_the_emulator(plain):
    said = command("ctest", "--test-dir", plain / "build" / BOARD, "--verbose")
    assert "self-test: PASS (3 of 3)" in said
    assert "100% tests passed" in said


def test_a_preset_names_each_board(plain, tmp_path):
    copy = tmp_path / "p"
    shutil.copytree(plain, copy, ignore=shutil.ignore_patterns("build"))
    listed = command("cmake", "--list-presets", cwd=copy)
    names = re.findall(r'"([\w-]+)"', listed)
    assert set(names) == {path.name for path in (copy / "boards").iterdir()}
    command("cmake", "--preset", BOARD, cwd=copy)
    cache = (copy / "build" / BOARD / "CMakeCache.txt").read_text()
    assert f"SCANLET_BOARD:UNINITIALIZED={BOARD}" in cache or f"SCANLET_BOARD:STRING={BOARD}" in (
        cache
    )


def test_a_board_that_is_not_there_is_named(plain):
    with pytest.raises(AssertionError, match=r"SCANLET_BOARD=nucleo: there is no boards/nucleo"):
        cmake_build(plain, "nucleo")


def test_a_fault_is_reported_and_ends_the_emulation(plain, tmp_path):
    main = """
    #include "startup.h"
    int main(void) {
      *(volatile uint32_t*)0x90000000u = 1u;
      return 0;
    }
    """
    status, lines = changed(plain, tmp_path, main)
    assert re.fullmatch(
        r"STOPPED: exception 3, pc 0x[0-9a-f]{8}, cfsr 0x[0-9a-f]{8}, hfsr 0x40000000", lines[0]
    )
    assert status == 1


def test_a_stack_that_overflows_faults_instead_of_overwriting(plain, tmp_path):
    main = """
    #include "startup.h"
    static int depth(volatile int* outer) {
      volatile int here[64];
      here[0] = *outer + 1;
      return depth(here) + here[0];
    }
    int main(void) {
      volatile int zero = 0;
      return depth(&zero);
    }
    """
    with pytest.raises(AssertionError, match="infinite-recursion"):
        changed(plain, tmp_path / "noticed", main)  # the compiler notices, too
    quiet = '#pragma GCC diagnostic ignored "-Winfinite-recursion"\n' + main
    status, lines = changed(plain, tmp_path / "run", quiet)
    assert "the stack overflowed" in lines[0]
    assert status == 1


def test_a_hook_of_ones_own_takes_the_defaults_place(plain, tmp_path):
    main = """
    #include "print.h"
    #include "self_test.h"
    #include "startup.h"
    static uint32_t variable = 7u;
    static uint32_t cleared;
    static uint32_t called;
    void scanlet_board_init(void) { ++called; }
    int main(void) {
      scanlet_board_init();
      print_unsigned(variable);
      print_unsigned(cleared);
      print_unsigned(called);
      print_text("\\n");
      scanlet_board_finish(gestures_self_test());
      return 0;
    }
    """
    status, lines = changed(plain, tmp_path, main)
    assert lines[0] == "701"
    assert verdicts(lines) == ["PASS"] * 4
    assert status == 0
