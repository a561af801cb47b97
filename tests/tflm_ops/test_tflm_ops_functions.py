"""The kernels' own exponential, softplus, SiLU, GELU and reciprocal root against float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from operator_harness import run_function

Array = np.ndarray


def both_signs(smallest: float, largest_negative: float, largest: float) -> Array:
    negative = -np.geomspace(smallest, largest_negative, 20000)
    return np.concatenate([negative, np.geomspace(smallest, largest, 20000)]).astype(np.float32)


def relative_error(function: str, x: Array, exact: Array) -> float:
    return float(np.abs(run_function(function, x) / exact - 1).max())


def test_power_of_two_is_accurate_to_one_unit_and_a_half() -> None:
    x = both_signs(1e-9, 126, 100)
    assert relative_error("scanlet_exp2", x, np.exp2(x.astype(np.float64))) < 1.6e-7


def test_exponential_is_accurate_to_one_unit_and_a_half() -> None:
    x = both_signs(1e-9, 87, 87)
    assert relative_error("scanlet_exp", x, np.exp(x.astype(np.float64))) < 1.6e-7


def test_softplus_keeps_its_digits_where_it_is_tiny_and_does_not_overflow() -> None:
    x = both_signs(1e-9, 86.9, 3e38)
    assert relative_error("scanlet_softplus", x, np.logaddexp(0, x.astype(np.float64))) < 3e-7


def test_silu_keeps_its_digits() -> None:
    x = both_signs(1e-9, 86.9, 3e38)
    wide = x.astype(np.float64)
    exact = wide * np.exp(-np.logaddexp(0, -wide))
    assert relative_error("scanlet_silu", x, exact) < 2.4e-7


def test_gelu_is_as_accurate_as_its_definition_allows() -> None:
    x = both_signs(1e-6, 12.9, 1e30)
    exact = np.array([0.5 * v * math.erfc(-v / math.sqrt(2)) for v in x.astype(np.float64)])
    error = np.abs(run_function("scanlet_gelu", x) - exact)
    assert (error / np.maximum(1, np.abs(x))).max() < 1.2e-7
    close = x > -3
    assert (error[close] / np.abs(exact[close])).max() < 1.2e-6


def test_reciprocal_root_is_accurate_to_one_unit() -> None:
    x = np.geomspace(1.2e-38, 3e38, 50000).astype(np.float32)
    assert relative_error("scanlet_rsqrt", x, x.astype(np.float64) ** -0.5) < 1.3e-7


@pytest.mark.parametrize(
    ("function", "at_minus_infinity", "at_infinity"),
    [
        ("scanlet_softplus", 0, np.inf),
        ("scanlet_silu", 0, np.inf),
        ("scanlet_gelu", 0, np.inf),
        ("scanlet_exp", 0, np.exp(87)),
    ],
)
def test_infinities_give_limits_and_nan_stays(
    function: str, at_minus_infinity: float, at_infinity: float
) -> None:
    quiet = np.array([0x7FC00000, 0x7FC00001, 0xFFFFFFFF], np.uint32).view(np.float32)
    x = np.concatenate([np.array([-np.inf, np.inf], np.float32), quiet])
    y = run_function(function, x)
    np.testing.assert_allclose(y[:2], [at_minus_infinity, at_infinity], rtol=2e-7, atol=1e-37)
    if function != "scanlet_exp":  # whose callers keep the NaN
        assert np.isnan(y[2:]).all()


def test_table_of_powers_holds_the_nearest_floats() -> None:
    """2^(i / 64) times powers of two: where x is a multiple of 1 / 64 only the table speaks."""
    x = (np.arange(-126 * 64, 64) / 64).astype(np.float32)
    exact = np.exp2(x.astype(np.float64)).astype(np.float32)
    assert run_function("scanlet_exp2", x).tobytes() == exact.tobytes()
