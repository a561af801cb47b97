"""The kernels' functions of one number keep the accuracy that their comments state."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from operator_harness import run_function

#: Plain arithmetic, one rounding a multiply-add, and that with the reciprocal of Xtensa cores.
BUILDS = {
    "plain": [],
    "fused": ["-DSCANLET_FUSED_MADD=1"],
    "xtensa": ["-DSCANLET_FUSED_MADD=1", "-D__XTENSA__"],
}
COUNT = 100_000

Function = Callable[[np.ndarray], np.ndarray]


def erfc(x: np.ndarray) -> np.ndarray:
    return np.array([math.erfc(value) for value in x])


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0)


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def gelu(x: np.ndarray) -> np.ndarray:
    return x / 2 * erfc(-x / math.sqrt(2))


def reciprocal(x: np.ndarray) -> np.ndarray:
    return 1 / x


def rsqrt(x: np.ndarray) -> np.ndarray:
    return 1 / np.sqrt(x)


def sweep(low: float, high: float) -> np.ndarray:
    """float32 numbers, both ends included: evenly spaced, random, and ever closer to zero."""
    third = COUNT // 3
    parts = [np.linspace(low, high, third), np.random.default_rng(0).uniform(low, high, third)]
    if low <= 0:
        parts += [end * np.geomspace(1e-12, 1, third // 2) for end in (low, high) if end]
    return np.concatenate(parts).astype(np.float32)


#: name, reference, low, high, relative error as the comment in the header states it
STATED: list[tuple[str, Function, float, float, float]] = [
    ("exp2", np.exp2, -126, 127, 1.9e-7),
    ("exp2", np.exp2, -1, 1, 1.9e-7),
    ("exp", np.exp, -87, 87, 1.9e-7),
    ("exp", np.exp, -1, 1, 1.9e-7),
    ("softplus", softplus, -87, 100, 3.3e-7),
    ("softplus", softplus, -8, 4, 3.3e-7),
    ("silu", silu, -87, 100, 2.8e-7),
    ("silu", silu, -20, 4, 2.8e-7),
    ("gelu", gelu, -13, 0, 2e-5),
    ("gelu", gelu, -3, 3, 1.2e-6),
    ("rsqrt", rsqrt, 0.01, 100, 1.4e-7),
]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize(("name", "reference", "low", "high", "bound"), STATED)
def test_the_relative_error_is_as_the_header_states(
    build: str, name: str, reference: Function, low: float, high: float, bound: float
) -> None:
    x = sweep(low, high)
    y = run_function(f"scanlet_{name}", x, BUILDS[build])
    exact = reference(x.astype(np.float64))
    assert (np.abs(y - exact) <= bound * np.abs(exact)).all()


@pytest.mark.parametrize("build", BUILDS)
def test_the_absolute_error_of_gelu_is_as_the_header_states(build: str) -> None:
    x = sweep(-20, 20)
    exact = gelu(x.astype(np.float64))
    error = np.abs(run_function("scanlet_gelu", x, BUILDS[build]) - exact)
    assert (error <= 1.2e-7 * np.maximum(1, np.abs(x))).all()


@pytest.mark.parametrize("build", BUILDS)
def test_erfcx_is_as_accurate_as_the_header_states(build: str) -> None:
    z = sweep(0, 9)
    exact = np.exp(z.astype(np.float64) ** 2) * erfc(z.astype(np.float64))
    y = run_function("scanlet_erfcx", z, BUILDS[build])
    assert (np.abs(y - exact) <= 5e-7 * exact).all()


@pytest.mark.parametrize("build", BUILDS)
def test_rsqrt_holds_over_all_normal_numbers(build: str) -> None:
    x = np.exp2(sweep(-126, 127.99).astype(np.float64)).astype(np.float32)
    exact = rsqrt(x.astype(np.float64))
    y = run_function("scanlet_rsqrt", x, BUILDS[build])
    assert (np.abs(y - exact) <= 1.4e-7 * exact).all()


@pytest.mark.parametrize("build", BUILDS)
def test_the_reciprocal_is_rounded_correctly_or_nearly_so(build: str) -> None:
    x = np.exp2(sweep(0, 126).astype(np.float64)).astype(np.float32)
    rounded = reciprocal(x.astype(np.float64)).astype(np.float32)
    y = run_function("scanlet_reciprocal", x, BUILDS[build])
    wrong = y != rounded
    assert wrong.sum() <= (len(x) / 3000 if build == "xtensa" else 0)
    assert (np.abs(y - rounded) <= np.spacing(rounded)).all()


@pytest.mark.parametrize("build", BUILDS)
def test_extremes_neither_overflow_nor_wrap(build: str) -> None:
    x = np.array([math.inf, 3e38, 1e30, 200, -200, -1e30, -3e38, -math.inf], np.float32)
    large, zeros = x[:4], np.zeros(4)
    flags = BUILDS[build]
    np.testing.assert_array_equal(run_function("scanlet_softplus", x, flags)[:4], large)
    np.testing.assert_array_equal(run_function("scanlet_silu", x, flags), [*large, *zeros])
    np.testing.assert_array_equal(run_function("scanlet_gelu", x, flags)[:4], large)
    small = np.exp(-87.0)
    np.testing.assert_allclose(run_function("scanlet_softplus", x, flags)[4:], small, rtol=3.3e-7)
    np.testing.assert_allclose(run_function("scanlet_gelu", x, flags)[4:], 0, atol=1e-37)
    np.testing.assert_allclose(run_function("scanlet_exp", x, flags)[4:], small, rtol=3.3e-7)
    np.testing.assert_allclose(run_function("scanlet_exp", x, flags)[:4], np.exp(87), rtol=3.3e-7)
    np.testing.assert_array_equal(run_function("scanlet_exp2", x, flags)[4:], 2.0**-126)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("name", ["softplus", "silu", "gelu"])
def test_nan_stays_nan_whatever_its_bits(build: str, name: str) -> None:
    bits = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF], np.uint32)
    assert np.isnan(run_function(f"scanlet_{name}", bits.view(np.float32), BUILDS[build])).all()


def test_the_table_of_powers_is_centred_and_whole_powers_are_exact() -> None:
    """Where x is a multiple of 1 / 1024 only the table speaks, with its factor of 1 + 2e-8."""
    x = np.arange(-126 * 1024, 127 * 1024 + 1, dtype=np.float32) / np.float32(1024)
    y = run_function("scanlet_exp2", x)
    expected = (np.exp2(x.astype(np.float64)) * (1 + 2e-8)).astype(np.float32)
    np.testing.assert_array_equal(y, expected)
    whole = x == np.round(x)
    np.testing.assert_array_equal(y[whole], np.exp2(x[whole].astype(np.float64)))


def test_powers_of_two_are_neither_too_large_nor_too_small_on_average() -> None:
    x = np.random.default_rng(4).uniform(-20, 0, 200000).astype(np.float32)
    error = run_function("scanlet_exp2", x) / np.exp2(x.astype(np.float64)) - 1
    assert abs(error.mean()) < 4e-9


@pytest.mark.parametrize(("name", "value"), [("exp", 1), ("silu", 0), ("gelu", 0)])
def test_zero_gives_the_exact_value(name: str, value: float) -> None:
    assert run_function(f"scanlet_{name}", np.zeros(1))[0] == value
