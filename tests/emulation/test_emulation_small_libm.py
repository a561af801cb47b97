"""The small libm of cores without one is accurate to two units in the last place."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from emulation_programs import program

from scanlet.execution.emulation import run_program
from scanlet.resources import resource_dir

HOST_MAIN = """
#include <stdio.h>
float small_expf(float x);
float small_logf(float x);
int main(int argc, char** argv) {
  if (argc != 3) return 2;
  FILE* in = fopen(argv[1], "rb");
  FILE* out = fopen(argv[2], "wb");
  float x;
  while (fread(&x, sizeof x, 1, in) == 1) {
    const float y[2] = {small_expf(x), small_logf(x)};
    fwrite(y, sizeof y, 1, out);
  }
  return fclose(in) != 0 || fclose(out) != 0;
}
"""


def arguments(count: int) -> np.ndarray:
    """Numbers of all magnitudes and around one, the range of e^x, and every special value."""
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**32, count, dtype=np.uint32)
    special = np.array([0, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000], np.uint32)
    parts = [bits, special, special | np.uint32(0x80000000)]
    ranges = np.concatenate([rng.uniform(-104.5, 89.5, count), rng.uniform(0.4, 2.5, count)])
    return np.concatenate([np.concatenate(parts).view(np.float32), ranges.astype(np.float32)])


def errors_in_units(y: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """|y - exact| in units in the last place; 0 where y is what float32 makes of `exact`."""
    rounded = exact.astype(np.float32)
    same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
    unit = np.spacing(np.abs(np.where(np.isfinite(rounded), rounded, 1)))
    return np.where(same, 0, np.abs(y.astype(np.float64) - exact) / unit)


def check(x: np.ndarray, results: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64)
        assert (errors_in_units(results[:, 0], np.exp(wide)) <= 2).all()
        assert (errors_in_units(results[:, 1], np.log(wide)) <= 2).all()


def test_the_functions_are_accurate_everywhere(tmp_path: Path) -> None:
    main = tmp_path / "main.c"
    main.write_text(HOST_MAIN, "utf-8")
    source = resource_dir("tflm_ops") / "bare_metal" / "small_libm.c"
    options = ["-std=c11", "-O2", "-fno-builtin", "-ffp-contract=off", "-Wall", "-Wextra"]
    strict = ["-Wshadow", "-Wconversion", "-Wdouble-promotion", "-Wvla", "-Werror"]
    renamed = ["-Dexpf=small_expf", "-Dlogf=small_logf"]
    program_path = tmp_path / "program"
    command = ["gcc", *options, *strict, *renamed, str(main), str(source), "-o", str(program_path)]
    subprocess.run(command, check=True)
    x = arguments(1_000_000)
    x.tofile(tmp_path / "x")
    subprocess.run([str(program_path), str(tmp_path / "x"), str(tmp_path / "y")], check=True)
    check(x, np.fromfile(tmp_path / "y", np.float32).reshape(-1, 2))


@pytest.mark.parametrize("core", ["xtensa-fpu", "rv32imc"])
def test_cores_without_a_usable_libm_have_the_functions(core: str) -> None:
    source = program(
        """
  const float* x = (const float*)scanlet_input;
  for (uint32_t i = 0; i < scanlet_input_size() / 4u; ++i) {
    const float y[2] = {expf(x[i]), logf(x[i])};
    scanlet_emit(y, sizeof y);
  }
""",
        before="#include <math.h>",
    )
    x = arguments(1000)
    output = run_program(core, source, input_bytes=x.tobytes()).output
    check(x, np.frombuffer(output, np.float32).reshape(-1, 2))
