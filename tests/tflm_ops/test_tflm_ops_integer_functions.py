"""The integer kernels' functions equal those of fixed_point.py, over all of their arguments."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from operator_harness import CHECKED, compile_files, run_program

from scanlet.graph.operators import fixed_point
from scanlet.graph.operators.float_recurrence import power_of_two
from scanlet.graph.operators.integer_ssm import mean
from scanlet.resources import resource_dir

EVERY_INT16 = np.arange(-32768, 32768)
ENDS = np.array([-(2**31), -(2**31) + 1, -65536, -1, 0, 1, 32767, 65536, 2**31 - 1])

# Reads triples of int32 and writes FUNCTION of each as int64.
MAIN = r"""
#include <stdio.h>
#include "kernels/scanlet_int_kernels.h"
int main(int argc, char **argv) {
  if (argc != 3) return 2;
  FILE *const in = fopen(argv[1], "rb");
  FILE *const out = fopen(argv[2], "wb");
  int32_t x[3];
  while (fread(x, sizeof(x), 1, in) == 1) {
    const int64_t y = FUNCTION;
    fwrite(&y, sizeof(y), 1, out);
  }
  return fclose(in) != 0 || fclose(out) != 0;
}
"""


def run(expression: str, *arguments: np.ndarray, define: str = "NOTHING") -> np.ndarray:
    """The C expression of x[0], x[1], x[2] for each set of arguments (broadcast), as int64."""
    kernels = resource_dir("tflm_ops") / "kernels"
    files = {f"kernels/{path.name}": path.read_text("utf-8") for path in kernels.glob("*.h")}
    files["main.c"] = MAIN.replace("FUNCTION", expression)
    command = ["gcc", *CHECKED, f"-D{define}", "-O1", "main.c", "-o", "program"]
    columns = np.broadcast_arrays(*arguments, *([0] * (3 - len(arguments))))
    data = np.stack([column.ravel() for column in columns], axis=1).astype(np.int32)
    return np.frombuffer(
        run_program(compile_files(files, command) / "program", data.tobytes()), np.int64
    )


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("sigmoid", fixed_point.SIGMOID_TABLE),
        ("softplus", fixed_point.SOFTPLUS_TABLE),
        ("decay", fixed_point.DECAY_TABLE),
    ],
)
def test_tables_are_those_of_the_definition(name: str, table: np.ndarray) -> None:
    text = (resource_dir("tflm_ops") / "kernels" / "int_tables.h").read_text("utf-8")
    found = re.search(rf"scanlet_{name}_table\[(\d+)\] = \{{([^}}]*)\}}", text)
    assert found
    assert int(found[1]) == len(table)
    assert [int(value) for value in found[2].split(",") if value.strip()] == table.tolist()


@pytest.mark.parametrize("parts", [0, 1])
def test_scale_rounds_halves_up(parts: int) -> None:
    rng = np.random.default_rng(0)
    value = np.concatenate([ENDS, rng.integers(-(2**31), 2**31, 2000), np.arange(-8, 8) << 20])
    factor = np.concatenate([ENDS[1:], rng.integers(-(2**31) + 1, 2**31, 40), [1 << 11, 1 << 12]])
    pairs = np.meshgrid(value, factor)
    expected = fixed_point.scale(*pairs).ravel()
    got = run("scanlet_scale(x[0], x[1])", *pairs, define=f"SCANLET_INT_PARTS={parts}")
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("expression", "function", "fractions"),
    [
        ("scanlet_int_silu(x[0], x[1])", fixed_point.silu, range(5, 21)),
        ("scanlet_int_softplus(x[0], x[1])", fixed_point.softplus, range(9, 16)),
    ],
)
def test_functions_of_one_value_equal_the_definition(
    expression: str, function: Callable[..., np.ndarray], fractions: range
) -> None:
    got = run(expression, EVERY_INT16, np.array(fractions)[:, np.newaxis])
    expected = [function(EVERY_INT16, fraction) for fraction in fractions]
    np.testing.assert_array_equal(got, np.concatenate(expected))


def test_decay_equals_the_definition() -> None:
    rng = np.random.default_rng(0)
    exponents = [ENDS[ENDS >= 0], 2.0 ** rng.uniform(0, 31, 20000), np.arange(5000)]
    exponent = np.concatenate(exponents).astype(np.int64)
    shift = np.arange(8, 24)[:, np.newaxis]
    got = run("scanlet_int_decay(x[0], x[1] - 8)", exponent, shift)
    np.testing.assert_array_equal(got, fixed_point.decay(exponent, shift).ravel())


def test_rounding_follows_the_bits_of_the_step() -> None:
    steps = np.arange(600)
    expected = [fixed_point.rounding(int(step)) for step in steps]
    np.testing.assert_array_equal(run("scanlet_int_rounding(x[0])", steps), expected)


@pytest.mark.parametrize("fraction", [0, 15])
@pytest.mark.parametrize("length", [1, 2, 3, 100, 12345, 65535])
def test_means_equal_the_definition(length: int, fraction: int) -> None:
    rng = np.random.default_rng(length)
    values = rng.integers(-32768, 32768, (length, 60))
    values[:, :20] >>= 12
    values[:, 0], values[:, 1], values[:, 2] = -32768, 32767, 0
    expected = mean(values, fraction)[0]
    got = run(f"scanlet_int_mean(x[0], {length}, {fraction})", values.sum(axis=0))
    np.testing.assert_array_equal(got, expected)


def test_divisions_are_exact() -> None:
    rng = np.random.default_rng(0)
    high, low = rng.integers(0, 2**30, 3000), rng.integers(0, 2**31, 3000)
    divisor = rng.integers(1, 1025, 3000)
    got = run(
        "(int64_t)scanlet_int_divide((uint64_t)x[0] << 32 | (uint32_t)x[1], (uint32_t)x[2])",
        high,
        low,
        divisor,
    )
    np.testing.assert_array_equal(got, ((high << 32) | low) // divisor)
    divisor = np.concatenate([[2**30, 2**30 + 1, 2**31 - 1], rng.integers(2**30, 2**31, 3000)])
    got = run("scanlet_int_inverse((uint32_t)x[0])", divisor)
    np.testing.assert_array_equal(got, 2**61 // divisor)


def test_roots_equal_the_definition() -> None:
    rng = np.random.default_rng(0)
    small = np.arange(300)
    large = rng.integers(0, 2**31 - 1, 2000)
    value = np.concatenate([small, large, large - 1, [2**31 - 1]])
    square = "(uint64_t)x[0] * (uint64_t)x[0]"
    np.testing.assert_array_equal(run(f"scanlet_int_sqrt({square})", value), value)
    less = run(f"scanlet_int_sqrt({square} - 1)", value[1:])
    np.testing.assert_array_equal(less, value[1:] - 1)


def test_reals_are_rounded_to_even_and_saturated() -> None:
    rng = np.random.default_rng(0)
    halves = np.arange(-70000, 70000) / 2
    exponents = 2.0 ** np.arange(-149, 128)
    ends = [0.0, -0.0, np.inf, 2.0**22, 2.0**23, 2.0**24, 12582911, 12582912, 12582913]
    value = np.concatenate([halves, exponents, ends, rng.uniform(-33000, 33000, 20000)])
    value = np.concatenate([value, -value]).astype(np.float32)
    got = run("scanlet_real_nearest(scanlet_from_bits((uint32_t)x[0]))", value.view(np.int32))
    np.testing.assert_array_equal(got, np.clip(np.rint(value), -32768, 32767))


def test_powers_of_two_equal_the_definition() -> None:
    """All entries of the table in every octave, between them, and beyond what is possible."""
    rng = np.random.default_rng(0)
    entries = np.arange(-127 * 1024, 1024) / 1024
    between = entries + rng.uniform(-0.5, 0.5, len(entries)) / 1024
    halves = (np.arange(-4096, 4096) + 0.5) / 1024
    ends = [-0.0, -1e-30, 1e-30, -126.0, -127.0, -1e30, -np.inf, 127.0, 200.0, np.inf]
    x = np.concatenate([entries, between, halves, ends]).astype(np.float32)
    expression = "(int32_t)scanlet_bits(scanlet_exp2(scanlet_from_bits((uint32_t)x[0])))"
    got = run(expression, x.view(np.int32)).astype(np.int32).view(np.float32)
    np.testing.assert_array_equal(got, power_of_two(x))
    true = np.exp2(np.clip(x.astype(np.float64), -126, 127))
    np.testing.assert_allclose(got, true, rtol=2e-7)
