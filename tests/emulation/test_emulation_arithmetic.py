"""Programs compute on every core what NumPy computes, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from emulation_programs import program

from scanlet.execution.emulation import CORES, run_program

COUNT = 256

MULTIPLY_ADD = program(
    """
  const float* a = (const float*)scanlet_input;
  static float y[COUNT];
  for (int i = 0; i < COUNT; ++i) y[i] = MADD(a[i], a[COUNT + i], a[2 * COUNT + i]);
  scanlet_emit(y, sizeof y);
""",
    before="""
#if SCANLET_FUSED_MADD
#define MADD(x, y, z) __builtin_fmaf(x, y, z)
#else
#define MADD(x, y, z) ((x) * (y) + (z))
#endif
""",
)


def operands() -> np.ndarray:
    """a, b in [1, 2) and c in [-4, -1): float64 holds a * b + c without rounding."""
    rng = np.random.default_rng(3)
    low = np.array([1.0, 1.0, -4.0])[:, None]
    high = np.array([2.0, 2.0, -1.0])[:, None]
    return rng.uniform(low, high, (3, COUNT)).astype(np.float32)


def run_multiply_add(core: str, *, fused: bool) -> np.ndarray:
    result = run_program(
        core,
        MULTIPLY_ADD,
        input_bytes=operands().tobytes(),
        output_bytes=4 * COUNT,
        defines=[f"COUNT={COUNT}"],
        fused=fused,
    )
    return np.frombuffer(result.output, np.float32)


def rounded_twice() -> np.ndarray:
    a, b, c = operands()
    return a * b + c


def rounded_once() -> np.ndarray:
    a, b, c = operands().astype(np.float64)
    return (a * b + c).astype(np.float32)


def test_the_unfused_build_rounds_product_and_sum(core: str) -> None:
    np.testing.assert_array_equal(run_multiply_add(core, fused=False), rounded_twice())


def test_the_fused_build_rounds_once_where_the_core_can(core: str) -> None:
    assert (rounded_once() != rounded_twice()).any()
    expected = rounded_once() if core != "rv32imc" else rounded_twice()
    np.testing.assert_array_equal(run_multiply_add(core, fused=True), expected)


def test_float_units_keep_subnormals_and_infinities(core: str) -> None:
    # One value after the other: vector instructions flush subnormals by definition.
    source = program(
        """
  volatile float* x = (volatile float*)scanlet_input;
  for (int i = 0; i < 8; ++i) {
    const float y[3] = {x[i] * 0.25f, x[i] + x[i], 1.0f / x[i]};
    scanlet_emit(y, sizeof y);
  }
"""
    )
    values = [1.5e-38, 1e-39, 1e-45, -2e-38, 3e38, 0.0, -0.0, 0.1]
    x = np.array(values, np.float32)
    output = run_program(core, source, input_bytes=x.tobytes(), output_bytes=96).output
    with np.errstate(all="ignore"):
        expected = np.stack([x * np.float32(0.25), x + x, np.float32(1) / x], axis=1)
    got = np.frombuffer(output, np.uint32).reshape(8, 3)
    np.testing.assert_array_equal(got, expected.astype(np.float32).view(np.uint32))


def test_integers_of_all_widths_compute_as_numpy_does(core: str) -> None:
    source = program(
        """
  const int32_t* a = (const int32_t*)scanlet_input;
  for (int i = 0; i < 32; ++i) {
    const uint32_t u = (uint32_t)a[i], v = (uint32_t)a[32 + i];
    const int64_t wide = (int64_t)a[i] * a[32 + i];
    const uint32_t results[6] = {u * v, (uint32_t)(a[i] / a[32 + i]), u % v, (uint32_t)(a[i] >> 7),
                                 (uint32_t)(wide >> 32), (uint32_t)(int32_t)(int16_t)u};
    scanlet_emit(results, sizeof results);
  }
"""
    )
    rng = np.random.default_rng(5)
    a, b = rng.integers(-(2**31), 2**31 - 1, (2, 32)).astype(np.int32)
    wide = a.astype(np.int64) * b
    quotient = np.trunc(a.astype(np.float64) / b).astype(np.int64)
    expected = np.stack(
        [
            wide,
            quotient,
            a.view(np.uint32) % b.view(np.uint32),
            a >> 7,
            wide >> 32,
            a.astype(np.int16).astype(np.int64),
        ],
        axis=1,
    )
    result = run_program(core, source, input_bytes=np.concatenate([a, b]).tobytes())
    got = np.frombuffer(result.output, np.uint32).reshape(32, 6)
    np.testing.assert_array_equal(got, expected.astype(np.int64).astype(np.uint32))


@pytest.mark.parametrize("core", ["rv32imc"])
def test_the_square_root_without_a_float_unit_is_correctly_rounded(core: str) -> None:
    source = program(
        """
  const float* x = (const float*)scanlet_input;
  for (uint32_t i = 0; i < scanlet_input_size() / 4u; ++i) {
    const float root = sqrtf(x[i]);
    scanlet_emit(&root, 4u);
  }
""",
        before="#include <math.h>",
    )
    bits = np.random.default_rng(7).integers(0, 0x7F800000, 2000)
    x = np.concatenate([bits.astype(np.uint32), [0, 1, 0x7FFFFF, 0x7F800000]]).astype(np.uint32)
    output = run_program(core, source, input_bytes=x.tobytes()).output
    expected = np.sqrt(x.view(np.float32))
    np.testing.assert_array_equal(np.frombuffer(output, np.float32), expected)


def test_memory_functions_of_the_c_library_work(core: str) -> None:
    source = program(
        """
  unsigned char* x = scanlet_input;
  for (uint32_t shift = 0; shift < 5u; ++shift) {
    for (uint32_t size = 0; size < 12u; ++size) {
      memcpy(x + 64u + shift, x + size, size);
      memmove(x + 10u, x + 10u + shift - 2u, size);
      memset(x + 40u + shift, (int)size, size);
      const int order = memcmp(x, x + 64, size);
      x[100] = (unsigned char)(order < 0 ? 1 : order > 0 ? 2 : 0);
      scanlet_emit(x, 128u);
    }
  }
"""
    )
    x = np.random.default_rng(9).integers(0, 4, 128).astype(np.uint8)
    output = run_program(core, source, input_bytes=x.tobytes()).output
    expected = bytearray(x.tobytes())
    snapshots = b""
    for shift in range(5):
        for size in range(12):
            expected[64 + shift : 64 + shift + size] = expected[size : 2 * size]
            expected[10 : 10 + size] = expected[8 + shift : 8 + shift + size]
            expected[40 + shift : 40 + shift + size] = bytes([size]) * size
            left, right = expected[:size], expected[64 : 64 + size]
            expected[100] = 1 if left < right else 2 if left > right else 0
            snapshots += expected
    assert output == snapshots


def test_the_vector_core_uses_its_vectors() -> None:
    vectors = run_program("cortex-m55", MULTIPLY_ADD_COUNTED, count=True).counts
    scalars = run_program("cortex-m55-gcc", MULTIPLY_ADD_COUNTED, count=True).counts
    assert vectors is not None
    assert scalars is not None
    assert 3 * vectors["scale"].instructions < scalars["scale"].instructions


MULTIPLY_ADD_COUNTED = program(
    """
  static float y[256];
  scanlet_count_begin();
  scale(y, 256);
  scanlet_count_end();
""",
    before="""
void scale(float* y, int count);
__attribute__((noinline)) void scale(float* y, int count) {
  for (int i = 0; i < count; ++i) y[i] = y[i] * 2.0f + 1.0f;
}
""",
)


def test_every_core_is_tested() -> None:
    assert list(CORES) == ["cortex-m4", "cortex-m7", "cortex-m55", "xtensa-fpu", "rv32imc"]
