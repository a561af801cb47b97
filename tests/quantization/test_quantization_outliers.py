"""Calibration samples out of proportion are warned of, by number, with what they do."""

from __future__ import annotations

import re

import numpy as np
import pytest
from small_networks import F, L, draw, new_graph, weight

from scanlet.graph import Graph
from scanlet.graph.operators import Linear
from scanlet.quantization.calibration import calibrate


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12)


def two_linears(rng: np.random.Generator) -> Graph:
    graph, x = new_graph()
    x = graph.add(Linear(), [x, weight(rng, "w", F, F)], name="hidden")
    graph.outputs = [graph.add(Linear(), [x, weight(rng, "v", F, F)], name="y")]
    return graph


def outlying(samples: list, rng: np.random.Generator, observer: str = "minmax") -> list[str]:
    warnings = calibrate(two_linears(rng), samples, observer=observer).warnings
    return [warning for warning in warnings if "calibration sample" in warning]


def test_a_sample_10000_times_as_large_is_named_with_the_step_it_causes(
    rng: np.random.Generator,
) -> None:
    samples = draw(rng, 60)
    samples[7] = samples[7] * 1e4
    (warning,) = outlying(samples, rng)
    assert warning.startswith("tensor 'x': calibration sample 7 (counted from 0)")
    assert "alike in 2 more tensors" in warning
    span = np.ptp(samples[7])
    stated = re.search(r"int8 step is ([\d.e+]+)", warning)
    assert stated is not None
    assert float(stated[1]) == pytest.approx(span / 255, rel=0.01)
    assert "percentile" not in warning  # which keeps a sixtieth of all values


def test_a_value_that_the_percentile_cuts_off_is_a_case_for_it(rng: np.random.Generator) -> None:
    samples = draw(rng, 40_000 // (L * F) + 1)
    samples[2][0, 0, 0] = 5000.0
    (warning,) = outlying(samples, rng)
    assert "calibration sample 2 " in warning
    assert "observer='percentile'" in warning
    assert not any("'x'" in w for w in outlying(samples, rng, "percentile"))


def test_several_samples_are_listed_largest_first(rng: np.random.Generator) -> None:
    samples = draw(rng, 40)
    for number, gain in ((3, 300), (5, 3000), (8, 900), (9, 800), (21, 400)):
        samples[number] = samples[number] / np.abs(samples[number]).max() * gain
    (warning,) = outlying(samples, rng)
    assert "calibration sample 5, 8, 9 and 2 more" in warning


@pytest.mark.parametrize("gain", [1.0, 8.0])
def test_samples_of_one_order_of_magnitude_are_not(gain: float, rng: np.random.Generator) -> None:
    samples = draw(rng, 30)
    samples[4] = samples[4] * gain
    assert not outlying(samples, rng)


def test_mostly_silent_data_is_not(rng: np.random.Generator) -> None:
    samples = [sample * (number % 3 == 0) for number, sample in enumerate(draw(rng, 30))]
    assert not outlying(samples, rng)
