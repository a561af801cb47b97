"""Int8 weights: error-compensated rounding against plain rounding, scales, bias correction."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scanlet.quantization.rounding import bias_correction, quantize_rows, row_scales


def correlated(rng: np.random.Generator, samples: int, width: int) -> np.ndarray:
    """Inputs (samples, width) of a few common causes and some noise of their own."""
    causes = rng.standard_normal((samples, max(width // 4, 1)))
    return causes @ rng.standard_normal((causes.shape[1], width)) + 0.1 * rng.standard_normal(
        (samples, width)
    )


def moment(inputs: np.ndarray) -> np.ndarray:
    return inputs.T @ inputs / len(inputs)


def plain(weight: np.ndarray, scales: np.ndarray) -> np.ndarray:
    return np.clip(np.round(weight / scales[:, np.newaxis]), -127, 127)


def output_errors(
    weight: np.ndarray, stored: np.ndarray, scales: np.ndarray, inputs: np.ndarray
) -> np.ndarray:
    """Mean squared error of each output on the inputs themselves."""
    return ((inputs @ (weight - stored * scales[:, np.newaxis]).T) ** 2).mean(axis=0)


def test_correlated_inputs_lose_much_less_than_by_plain_rounding() -> None:
    rng = np.random.default_rng(0)
    inputs, unseen = np.split(correlated(rng, 4000, 48), 2)
    weight = rng.standard_normal((20, 48))
    scales = row_scales(weight)
    stored = quantize_rows(weight, scales, moment(inputs))
    errors = output_errors(weight, stored, scales, inputs)
    before = output_errors(weight, plain(weight, scales), scales, inputs)
    assert stored.dtype == np.int8
    assert errors.mean() < 0.35 * before.mean()
    after = output_errors(weight, stored, scales, unseen)
    before = output_errors(weight, plain(weight, scales), scales, unseen)
    assert after.mean() < 0.35 * before.mean()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    outputs=st.integers(1, 6),
    width=st.integers(1, 24),
    samples=st.integers(1, 60),
    clip=st.floats(0.3, 1.0),
)
def test_no_row_is_ever_worse_than_by_plain_rounding(
    seed: int, outputs: int, width: int, samples: int, clip: float
) -> None:
    rng = np.random.default_rng(seed)
    inputs = correlated(rng, samples, width)
    weight = rng.standard_normal((outputs, width))
    scales = clip * row_scales(weight)
    stored = quantize_rows(weight, scales, moment(inputs))
    errors = output_errors(weight, stored, scales, inputs)
    before = output_errors(weight, plain(weight, scales), scales, inputs)
    assert np.abs(stored.astype(int)).max() <= 127
    assert np.all(errors <= before * (1 + 1e-9) + 1e-18)


def test_the_result_is_near_the_best_of_all_integers() -> None:
    rng = np.random.default_rng(5)
    found, best, nearest = 0.0, 0.0, 0.0
    for _ in range(20):
        inputs = correlated(rng, 200, 4)
        weight = rng.uniform(-3, 3, (1, 4))
        hessian = moment(inputs)
        stored = quantize_rows(weight, np.ones(1), hessian)
        candidates = np.array(list(itertools.product(range(-5, 6), repeat=4)))
        errors = candidates - weight
        best += float(np.einsum("nk,kl,nl->n", errors, hessian, errors).min())
        found += float(output_errors(weight, stored, np.ones(1), inputs)[0])
        nearest += float(output_errors(weight, np.round(weight), np.ones(1), inputs)[0])
    assert best <= found < best + 0.3 * (nearest - best)


def test_rows_are_independent_of_each_other() -> None:
    rng = np.random.default_rng(1)
    hessian = moment(correlated(rng, 300, 16))
    weight = rng.standard_normal((5, 16))
    scales = row_scales(weight, hessian)
    together = quantize_rows(weight, scales, hessian)
    for row in range(5):
        one = slice(row, row + 1)
        assert_allclose(row_scales(weight[one], hessian), scales[one], rtol=1e-12)
        assert_array_equal(quantize_rows(weight[one], scales[one], hessian), together[one])


def test_without_moments_each_weight_goes_to_the_nearest_integer() -> None:
    rng = np.random.default_rng(2)
    weight = rng.standard_normal((7, 9))
    scales = row_scales(weight)
    assert_array_equal(quantize_rows(weight, scales), plain(weight, scales))
    silent = quantize_rows(weight, scales, np.zeros((9, 9)))  # an input that always is zero
    assert_array_equal(silent, plain(weight, scales))


def test_uncorrelated_inputs_are_rounded_to_nearest() -> None:
    rng = np.random.default_rng(3)
    weight = rng.standard_normal((7, 9))
    scales = row_scales(weight)
    stored = quantize_rows(weight, scales, np.diag(rng.uniform(0.5, 2, 9)))
    assert_array_equal(stored, plain(weight, scales))


@pytest.mark.parametrize("samples", [1, 3])
def test_fewer_samples_than_inputs_are_enough(samples: int) -> None:
    rng = np.random.default_rng(4)
    inputs = rng.standard_normal((samples, 32))
    inputs[:, 7] = 0  # one input that never is anything else
    weight = rng.standard_normal((6, 32))
    scales = row_scales(weight)
    stored = quantize_rows(weight, scales, moment(inputs))
    errors = output_errors(weight, stored, scales, inputs)
    assert errors.mean() < output_errors(weight, plain(weight, scales), scales, inputs).mean()
    assert_array_equal(stored[:, 7], plain(weight, scales)[:, 7])
    assert np.abs(stored - weight / scales[:, np.newaxis]).max() < 3  # nothing runs away


def test_the_largest_weight_of_a_row_takes_the_largest_integer() -> None:
    weight = np.array([[0.5, -2.0], [0.0, 0.0], [1e-3, 0.0]])
    scales = row_scales(weight)
    assert_allclose(scales[[0, 2]], [2 / 127, 1e-3 / 127])
    assert scales[1] > 0
    assert_array_equal(quantize_rows(weight, scales)[1], [0, 0])
    assert_allclose(row_scales(weight, limit=7)[0], 2 / 7)
    assert np.all(row_scales(np.zeros((3, 4))) > 0)


def test_an_outlier_on_a_silent_input_is_clipped() -> None:
    rng = np.random.default_rng(6)
    weight = rng.uniform(-0.5, 0.5, (1, 40))
    weight[0, 0] = 1.0
    importance = np.ones(40)
    importance[0] = 1e-6
    hessian = np.diag(importance)
    scales = row_scales(weight, hessian)
    assert scales[0] < 0.8 * row_scales(weight)[0]
    importance[0] = 1e6
    assert_allclose(row_scales(weight, np.diag(importance)), row_scales(weight))


def test_the_corrected_bias_leaves_the_mean_output_as_it_was() -> None:
    rng = np.random.default_rng(7)
    inputs = correlated(rng, 500, 12) + 3
    weight = rng.standard_normal((4, 12))
    scales = row_scales(weight, limit=7)
    restored = quantize_rows(weight, scales, limit=7) * scales[:, np.newaxis]
    correction = bias_correction(weight, restored, inputs.mean(axis=0))
    before, after = inputs @ weight.T, inputs @ restored.T + correction
    assert np.abs((inputs @ restored.T).mean(axis=0) - before.mean(axis=0)).max() > 0.01
    assert_allclose(after.mean(axis=0), before.mean(axis=0), atol=1e-12)
