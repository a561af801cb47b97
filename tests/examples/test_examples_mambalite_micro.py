"""The issue's bars on the published MambaLite-Micro models, on a part of their test sets.

`python -m examples.mambalite_micro.run` measures the same on all of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from examples.mambalite_micro.data import (
    HAR_CLASSES,
    KWS_CLASSES,
    load_har,
    load_kws,
    mel_decibels,
)
from examples.mambalite_micro.model import MIXERS, load_model
from examples.mambalite_micro.run import LENGTHS, LabelledData, Result, compile_model, evaluate

TARGET = "esp32s3"


@pytest.fixture(scope="module")
def test_sets(shared_data: Path) -> dict[str, LabelledData]:
    har, kws = load_har(shared_data), load_kws(shared_data)
    return {
        "har": LabelledData(
            "har", "mambalite_micro_har_weights.npz", HAR_CLASSES, har[0][::10], har[1][::10]
        ),
        "kws3": LabelledData(
            "kws3", "mambalite_micro_kws3_weights.npz", KWS_CLASSES, kws[0][::60], kws[1][::60]
        ),
    }


@pytest.fixture(scope="module", params=["har", "kws3"])
def test_set(request: pytest.FixtureRequest, test_sets: dict[str, LabelledData]) -> LabelledData:
    return test_sets[request.param]


@pytest.fixture(scope="module", params=list(MIXERS))
def result(request: pytest.FixtureRequest, test_set: LabelledData, shared_data: Path) -> Result:
    model = load_model(shared_data / test_set.weights, MIXERS[request.param])
    return evaluate(model, test_set, TARGET)


def test_every_label_agrees_with_pytorch(result: Result) -> None:
    assert result.comparison.agreement == 1.0
    assert result.comparison.tflm_accuracy == result.comparison.pytorch_accuracy


def test_the_published_models_recognise_real_recordings(result: Result) -> None:
    """Weights or features that were read wrongly would show here."""
    assert result.comparison.pytorch_accuracy > 0.85


def test_errors_stay_within_the_bars(result: Result) -> None:
    assert result.comparison.mean_error <= 8e-6
    assert result.error_ratio <= 1.5


@pytest.mark.parametrize("name", ["har", "kws3"])
def test_size_does_not_depend_on_the_sequence_length(
    name: str, test_sets: dict[str, LabelledData], shared_data: Path
) -> None:
    test = test_sets[name]
    model = load_model(shared_data / test.weights, next(iter(MIXERS.values())))
    compiled = [compile_model(model, test, length, TARGET) for length in LENGTHS]
    operators = {len(one.description.operators) for one in compiled}
    assert len(operators) == 1
    assert operators.pop() < 10
    sizes = [len(one.tflite) for one in compiled]
    assert max(sizes) - min(sizes) <= 64


def test_mel_bands_peak_where_a_tone_lies() -> None:
    seconds = np.arange(16_000) / 16_000
    tone = np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)
    decibels = mel_decibels(tone[np.newaxis])
    assert decibels.shape == (1, 100, 40)
    assert (decibels[0, 81:] == 0).all(), "frames past the clip's end"
    # 1 kHz is 1000 mel on the HTK scale; 40 bands share the 2840 mel up to 8 kHz, 69.3 mel apart.
    assert set(decibels[0, 5:75].argmax(1)) == {13}


def test_mel_power_of_a_tone_follows_from_window_and_filters() -> None:
    """A tone in the middle of an FFT bin: |X|^2 = (sum of the Hann window / 2)^2 = 100^2."""
    seconds = np.arange(16_000) / 16_000
    tone = torch.sin(2 * torch.pi * 1000 * torch.from_numpy(seconds)).float().numpy()
    power = 10 ** (mel_decibels(tone[np.newaxis])[0, 40] / 10)
    # All triangles sum to one between the first and the last peak; Hann spreads 1/4 to each side.
    assert power.sum() == pytest.approx(100**2 * 1.5, rel=1e-3)
