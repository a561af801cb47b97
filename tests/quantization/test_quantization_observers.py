"""Ranges from streams of values: what is kept, what is clipped, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from scanlet.errors import CalibrationError, InputError
from scanlet.quantization.histogram import Histogram
from scanlet.quantization.observers import (
    OBSERVERS,
    ErrorMinimising,
    MinMax,
    Percentile,
    make_observer,
)
from scanlet.quantization.parameters import for_range

VALUES = arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(
        st.floats(-1e30, 1e30), st.floats(-1, 1), st.sampled_from([0.0, -0.0, 1.0, -8.0, 1e-300])
    ),
)


def int8_error(values: np.ndarray, low: float, high: float) -> float:
    """Mean squared error of real int8 quantization, value by value."""
    made = for_range(low, high, "int8")
    scale, zero_point = made.scales[0], made.zero_points[0]
    stored = np.clip(np.round(values / scale) + zero_point, -128, 127)
    return float(np.mean(((stored - zero_point) * scale - values) ** 2))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), values=VALUES)
def test_a_histogram_depends_neither_on_order_nor_on_batches(
    data: st.DataObject, values: np.ndarray
) -> None:
    whole, parts = Histogram(), Histogram()
    whole.update(values)
    shuffled = values[np.array(data.draw(st.permutations(range(len(values)))))]
    cut = data.draw(st.integers(0, len(values)))
    parts.update(shuffled[:cut])
    parts.update(shuffled[cut:])
    assert_array_equal(whole.counts, parts.counts)
    assert (whole.zeros, whole.total) == (parts.zeros, len(values))
    assert (whole.minimum, whole.maximum) == (values.min(), values.max())


def test_a_histogram_keeps_each_value_to_the_width_of_a_bin(rng: np.random.Generator) -> None:
    values = rng.standard_normal(1000) * 3
    histogram = Histogram()
    for batch in np.array_split(values, 7):
        histogram.update(batch)
    assert histogram.width < np.abs(values).max() / 2000
    restored = np.repeat(histogram.centres, histogram.counts)
    assert np.abs(restored - np.sort(values)).max() <= histogram.width / 2
    assert_allclose(histogram.power(), np.mean(values**2), rtol=1e-3)


@settings(max_examples=40, deadline=None)
@given(values=VALUES)
@pytest.mark.parametrize("kind", OBSERVERS)
def test_no_observer_goes_beyond_the_extremes(kind: str, values: np.ndarray) -> None:
    observer = make_observer(kind, "x")
    observer.update(values)
    low, high = observer.range()
    assert values.min() <= low <= high <= values.max()


def test_minmax_clips_nothing(rng: np.random.Generator) -> None:
    batches = [rng.standard_normal((2, 5, 3)) for _ in range(4)]
    observer = MinMax("x")
    for batch in batches:
        observer.update(batch)
    assert observer.range() == (np.min(batches), np.max(batches))


@pytest.mark.parametrize("kind", OBSERVERS)
def test_channels_have_ranges_of_their_own(kind: str, rng: np.random.Generator) -> None:
    values = rng.standard_normal((6, 50, 3)) * np.array([1.0, 10.0, 0.1])
    together = make_observer(kind, "x", axis=-1)
    together.update(values)
    low, high = together.range()
    for channel in range(3):
        alone = make_observer(kind, "x")
        alone.update(values[..., channel])
        assert (low[channel], high[channel]) == alone.range()  # type: ignore[index]


def test_a_percentile_leaves_out_what_is_rare(rng: np.random.Generator) -> None:
    values = rng.uniform(-1, 1, 100_000)
    values[:5] = 50.0
    observer = Percentile("x", percentile=99.9)
    observer.update(values)
    low, high = observer.range()
    expected = np.quantile(values, [0.001, 0.999])
    assert_allclose([low, high], expected, atol=64 / 4096)
    everything = Percentile("x", percentile=100)
    everything.update(values)
    assert everything.range()[1] == 50.0


def test_the_least_error_is_found_among_all_ranges(rng: np.random.Generator) -> None:
    values = rng.laplace(size=200_000)
    values[:3] = [40.0, 60.0, -30.0]
    observer = ErrorMinimising("x")
    observer.update(values)
    low, high = observer.range()
    found = int8_error(values, float(low), float(high))
    tried = [
        int8_error(values, a, b) for a in np.linspace(-30, -4, 14) for b in np.linspace(4, 60, 29)
    ]
    assert found <= 1.02 * min(tried)
    assert found < 0.7 * int8_error(values, values.min(), values.max())


def test_the_least_error_keeps_everything_where_values_are_spread_evenly(
    rng: np.random.Generator,
) -> None:
    values = rng.uniform(-2, 3, 50_000)
    observer = ErrorMinimising("x")
    observer.update(values)
    assert_allclose(observer.range(), (-2, 3), rtol=0.02)


def test_more_bits_clip_less(rng: np.random.Generator) -> None:
    values = rng.laplace(size=50_000)
    ranges = []
    for bits in (4, 8, 16):
        observer = ErrorMinimising("x", bits=bits)
        observer.update(values)
        low, high = observer.range()
        ranges.append(high - low)
    assert ranges[0] < ranges[1] < ranges[2]


@pytest.mark.parametrize("kind", OBSERVERS)
@pytest.mark.parametrize("value", [0.0, 3.5, -2.0, 1e-310])
def test_a_constant_gets_a_scale_that_represents_it(kind: str, value: float) -> None:
    observer = make_observer(kind, "x")
    observer.update(np.full(100, value))
    low, high = observer.range()
    assert low == high == value
    error = int8_error(np.array([value]), float(low), float(high))
    assert error <= (abs(value) * 1e-3) ** 2 + 1e-30


@pytest.mark.parametrize("kind", OBSERVERS)
@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "infinite")])
def test_what_is_not_finite_is_refused_by_name(kind: str, bad: float, word: str) -> None:
    with pytest.raises(CalibrationError, match=rf"block\.linear_3.*1 of 4 values are {word}"):
        make_observer(kind, "block.linear_3").update(np.array([1.0, 2.0, bad, 0.0]))


@pytest.mark.parametrize("kind", OBSERVERS)
def test_a_range_of_nothing_is_refused_by_name(kind: str) -> None:
    observer = make_observer(kind, "pool")
    with pytest.raises(CalibrationError, match="pool"):
        observer.range()
    observer.update(np.empty(0))
    with pytest.raises(CalibrationError, match="pool"):
        observer.range()


def test_unknown_kinds_and_percentiles_are_refused() -> None:
    with pytest.raises(InputError, match="minmax, percentile, mse"):
        make_observer("entropy", "x")
    with pytest.raises(InputError, match="percentile is 101"):
        Percentile("x", percentile=101)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)
