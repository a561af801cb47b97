"""Input, output, builds side by side and the cache of builds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from emulation_programs import program

from scanlet import targets
from scanlet.execution.emulation import CORES, run_program

ECHO = program("scanlet_emit(scanlet_input, scanlet_input_size());")


def test_bytes_pass_through_unchanged(core: str) -> None:
    data = np.random.default_rng(1).bytes(300_001)
    assert run_program(core, ECHO, input_bytes=data).output == data


def test_a_program_without_input_or_output_runs(core: str) -> None:
    result = run_program(core, program("scanlet_emit(scanlet_input, 0u);"), output_bytes=0)
    assert (result.output, result.text, result.core) == (b"", "", core)


def test_the_input_is_aligned_writable_and_not_counted(core: str) -> None:
    source = program(
        """
  scanlet_input[0] = 9;
  scanlet_emit(scanlet_input, 2u);
  return (int)((uintptr_t)scanlet_input % 16u);
"""
    )
    result = run_program(core, source, input_bytes=b"ab")
    assert result.output == b"\x09b"
    assert result.sizes.bss_bytes == result.sizes.data_bytes == 0


def test_printed_text_comes_back(core: str) -> None:
    source = program(
        """
  scanlet_print("a line\\nand ");
  scanlet_print_unsigned(0u);
  scanlet_print(" ");
  scanlet_print_unsigned(4294967295u);
"""
    )
    assert run_program(core, source).text == "a line\nand 0 4294967295"


def test_zeroed_and_initialised_data_are_as_the_source_says(core: str) -> None:
    source = program(
        "for (int i = 0; i < 3; ++i) { scanlet_emit(&zero[i], 4u); scanlet_emit(&set[i], 4u); }",
        before="static uint32_t zero[3]; static uint32_t set[3] = {7u, 8u, 9u};",
    )
    values = np.frombuffer(run_program(core, source).output, np.uint32)
    assert list(values) == [0, 7, 0, 8, 0, 9]


def test_sources_may_lie_in_folders(core: str) -> None:
    source = program("return value() - 3;", before='#include "kernels/value.h"')
    source["kernels/value.h"] = "int value(void);"
    source["kernels/value.c"] = '#include "kernels/value.h"\nint value(void) { return 3; }'
    run_program(core, source)


def test_programs_run_side_by_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # An empty cache, so that they also build the same files at the same time.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    inputs = [np.full(100, i, np.uint8).tobytes() for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(run_program, core, ECHO, input_bytes=data)
            for data in inputs
            for core in ("cortex-m7", "rv32imc")
        ]
        outputs = [run.result().output for run in runs]
    assert outputs == [data for data in inputs for _ in range(2)]
    kept = list((tmp_path / "scanlet" / "emulation").iterdir())
    assert {path.suffix for path in kept} == {".o", ".elf"}, "a scratch folder was left"


def test_builds_are_kept_and_follow_every_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "scanlet" / "emulation"

    def run(header: str, define: str) -> tuple[bytes, int]:
        source = {
            **program(
                "const uint32_t x[2] = {A, B}; scanlet_emit(x, 8u);", before='#include "a.h"'
            ),
            "a.h": header,
        }
        output = run_program("cortex-m4", source, defines=[define]).output
        return output[::4], len(list(cache.iterdir()))

    first, kept = run("#define A 1", "B=2")
    assert first == b"\1\2"
    assert run("#define A 1", "B=2") == (first, kept)
    assert run("#define A 3", "B=2")[0] == b"\3\2"
    assert run("#define A 3", "B=4") == (b"\3\4", kept + 4)


def test_a_cache_that_cannot_be_written_is_done_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "scanlet").write_text("a file where the folder should be", "utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert run_program("cortex-m4", ECHO, input_bytes=b"abc").output == b"abc"


def test_every_target_is_emulated_by_a_core_and_every_core_is_a_target() -> None:
    emulated = {t.core for t in targets.ALL.values() if t.core is not None}
    assert emulated == set(CORES)
    for name in CORES:
        assert targets.find(name).core == name
    assert targets.find("stm32h7").core == "cortex-m7"
    for name, core in CORES.items():
        same = [t for t in targets.ALL.values() if t.core == name]
        assert {t.architecture for t in same} == {targets.find(name).architecture}
        # Without a float unit there is nothing that could fuse.
        assert all(t.has_fpu == core.has_fused_multiply_add for t in same)
