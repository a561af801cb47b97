"""The self-test's comparison of an output with its golden vector."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@pytest.fixture(scope="module")
def comparison(build_program) -> Path:
    return build_program("comparison_harness.cc")


def compare(
    program: Path, got: np.ndarray, expected: np.ndarray, tolerance: float
) -> tuple[bool, float, int]:
    """Whether it passed, the largest error, and the index of the largest value."""
    header = f"{got.dtype} {got.size} {tolerance}\n".encode()
    done = subprocess.run(
        [str(program)],
        input=header + got.tobytes() + expected.tobytes(),
        capture_output=True,
        check=True,
    )
    passed, error, best = done.stdout.decode().split()
    return passed == "1", float(error), int(best)


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_fails_wherever_it_stands(comparison, bad, position) -> None:
    expected = np.array([1, 5, 3], np.float32)
    got = expected.copy()
    got[position] = bad
    passed, error, _ = compare(comparison, got, expected, 1e30)
    assert not passed
    assert not np.isfinite(error)


def test_an_infinite_golden_value_is_no_excuse(comparison) -> None:
    both = np.array([1, np.inf], np.float32)
    assert not compare(comparison, both, both, 1.0)[0]


def test_the_tolerance_itself_still_passes(comparison) -> None:
    zero = np.zeros(2, np.float32)
    off = np.array([0.5, -0.25], np.float32)
    assert compare(comparison, off, zero, 0.5)[:2] == (True, 0.5)
    assert compare(comparison, off, zero, 0.4999)[:2] == (False, 0.5)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_error_and_class_are_numpys(comparison, data) -> None:
    dtype = data.draw(st.sampled_from([np.float32, np.int8, np.int16]))
    size = data.draw(st.integers(1, 40))
    limits = {"min_value": -100, "max_value": 100}
    arrays = hnp.arrays(dtype, size, elements=limits)
    got, expected = data.draw(arrays), data.draw(arrays)
    tolerance = data.draw(st.sampled_from([0.0, 1.0, 50.0, 200.0]))
    passed, error, best = compare(comparison, got, expected, tolerance)
    true = np.max(np.abs(got.astype(np.float32) - expected.astype(np.float32)))
    assert np.float32(error) == true
    assert passed == (float(true) <= tolerance)
    assert best == int(np.argmax(got))
