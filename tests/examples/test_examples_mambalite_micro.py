"""The issue's bars on the published MambaLite-Micro models, on a part of their test sets.

`python -m examples.mambalite_micro.run` measures the same on all of it. What needs no published
data runs on made-up features and noise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from examples.mambalite_micro.data import (
    RATE,
    load_har_calibration,
    load_kws_calibration,
    mel_decibels,
)
from examples.mambalite_micro.model import MIXERS, MambaLiteMicro, load_model, scanlet_mixer
from examples.mambalite_micro.run import (
    LENGTHS,
    LabelledData,
    Result,
    compile_model,
    evaluate,
    evaluate_precision,
    load_tests,
    pytorch_scores,
)

TARGET = "esp32s3"


@pytest.fixture(scope="module")
def test_sets(shared_data: Path) -> dict[str, LabelledData]:
    return {test.name: test for test in load_tests(shared_data, limit=200)}


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


@pytest.mark.parametrize(("precision", "agreement"), [("int8", 0.98), ("int16x8", 0.995)])
def test_integers_keep_labels_and_accuracy(
    precision: str, agreement: float, test_set: LabelledData, shared_data: Path
) -> None:
    """A label of 200 is half a percent; two may be another at int8, one at int16x8."""
    model = load_model(shared_data / test_set.weights, scanlet_mixer)
    pytorch = pytorch_scores(model, test_set)
    result = evaluate_precision(model, test_set, pytorch, TARGET, precision)
    assert result.comparison.agreement >= agreement
    assert result.drop <= 1.0
    assert len(result.compiled.tflite) <= 61_440


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the example wants it: random weights and features; clips are noise."""
    folder = tmp_path_factory.mktemp("mambalite_micro")
    rng = np.random.default_rng(0)
    for name, features, classes in (("har", 57, 6), ("kws3", 40, 3)):
        torch.manual_seed(0)
        weights = MambaLiteMicro(features, classes, scanlet_mixer()).state_dict()
        stored = {key: value.numpy() for key, value in weights.items()}
        stored["mamba.conv1d.weight"] = stored["mamba.conv1d.weight"][:, 0]
        np.savez(folder / f"mambalite_micro_{name}_weights.npz", **stored)
    np.savez(
        folder / "uci_har_feat561.npz",
        X_train=rng.uniform(-1, 1, (12, 561)),
        X_test=rng.uniform(-1, 1, (7, 561)),
        y_test=1 + np.arange(7) % 6,
    )

    def write_clips(name: str, count: int, **table: np.ndarray) -> None:
        noise = (3000 * rng.standard_normal(count * RATE)).astype(np.int16)
        soundfile.write(folder / f"{name}.flac", noise, RATE, subtype="PCM_16")
        np.savez(folder / f"{name}.npz", **table)

    write_clips("speech_commands_v2_test12", 4, word=np.array(["yes", "go", "no", "yes"]))
    split = np.array(["training", "validation"] * 3)
    write_clips("speech_commands_trainval", 6, split=split)
    return folder


def test_integers_are_calibrated_on_training_data_only(made_up: Path) -> None:
    windows = load_har_calibration(made_up, 4)
    features = np.load(made_up / "uci_har_feat561.npz")["X_train"][[0, 4, 7, 11]]
    assert windows.shape == (4, 10, 57)
    np.testing.assert_array_equal(windows.reshape(4, 570)[:, :561], features.astype(np.float32))
    assert (windows.reshape(4, 570)[:, 561:] == 0).all()
    audio = soundfile.read(made_up / "speech_commands_trainval.flac", dtype="int16")[0]
    training = audio.reshape(6, RATE)[::2].astype(np.float32) / 32768
    np.testing.assert_array_equal(load_kws_calibration(made_up, 500), mel_decibels(training))


def test_the_example_prints_a_row_a_precision_with_its_bars(
    made_up: Path,
    run_example: Callable[..., str],
    table_row: Callable[[str, str], list[str]],
) -> None:
    output = run_example("mambalite_micro", "--data", str(made_up), "--precision", "int8")
    assert "har: 7 recordings in integers, calibrated on 12 training samples" in output
    assert "kws3: 4 recordings in integers, calibrated on 3 training samples" in output
    assert float(table_row(output, "int8")[2].split()[0]) >= 100 * 4 / 7
    assert table_row(output, "bar")[1].startswith("<= 0.2: ")
    assert table_row(output, "bar")[3] == "<= 61,440: met"
    assert "float32" not in output


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
