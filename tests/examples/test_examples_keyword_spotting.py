"""Keyword spotting: the device's features, committed weights, a run without recordings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import scanlet
from examples.comparison import run_pytorch
from examples.keyword_spotting import augment, data, features, run, train

RunExample = Callable[..., str]
TableRow = Callable[[str, str], list[str]]


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (1000 * rng.standard_normal((2, 3 * features.SAMPLES))).astype(np.int16)


@pytest.fixture(scope="module")
def training_data(noise: np.ndarray) -> data.TrainingData:
    """Twelve clips of tone bursts, one pitch a class."""
    classes = np.tile(np.arange(5), 3)[:12]
    bursts = [data.synthetic_audio()[c % 3] // (c // 3 + 1) for c in classes]
    clips = data.Clips(np.array(bursts, np.int16), classes)
    return data.TrainingData(clips, clips, noise, noise)


def tone(hertz: float) -> np.ndarray:
    seconds = np.arange(features.SAMPLES) / features.SAMPLE_RATE
    return np.round(8000 * np.sin(2 * np.pi * hertz * seconds)).astype(np.int16)


@pytest.mark.parametrize("hertz", [300, 1000, 3000])
def test_a_tone_is_heard_in_the_channel_of_its_frequency(hertz: float) -> None:
    """40 channels share what lies between 125 and 7500 Hz on the scale 1127 log(1 + f / 700)."""

    def mel(frequency: float) -> float:
        return 1127 * float(np.log1p(frequency / 700))

    spacing = (mel(7500) - mel(125)) / (features.CHANNELS + 1)
    channel = round((mel(hertz) - mel(125)) / spacing) - 1
    heard = features.clip_features(tone(hertz))[1:].argmax(1)
    assert abs(np.median(heard) - channel) <= 1


def test_features_are_the_frontends_integers_times_a_known_factor() -> None:
    raw = features.features(data.synthetic_audio()) / np.float32(features.SCALE)
    np.testing.assert_array_equal(raw, np.round(raw))
    assert raw.min() >= 0
    assert 300 < raw.max() < 1000


def test_a_clip_has_a_frame_for_each_full_window() -> None:
    window, step = 480, 160
    for samples in (window - step, window, window + 5 * step, features.SAMPLES):
        expected = max(0, 1 + (samples - window) // step)
        assert features.frames(tone(500)[:samples]).shape == (expected, features.CHANNELS)
    assert features.clip_features(tone(500)).shape == (features.FRAMES, features.CHANNELS)


def test_short_clips_are_padded_with_silence_and_long_ones_cut() -> None:
    full = tone(700)
    short = full[:9000]
    padded = np.concatenate([short, np.zeros(7000, np.int16)])
    np.testing.assert_array_equal(features.clip_features(short), features.clip_features(padded))
    longer = np.concatenate([full, full])
    np.testing.assert_array_equal(features.clip_features(longer), features.clip_features(full))


def test_the_frontends_memory_does_not_reach_the_next_clip() -> None:
    clips = data.synthetic_audio()
    np.testing.assert_array_equal(features.features(clips)[-2:], features.features(clips[-2:]))


@pytest.mark.parametrize("audio", [np.zeros(16000), np.zeros((2, 16000), np.int16)])
def test_audio_of_another_kind_is_refused(audio: np.ndarray) -> None:
    with pytest.raises(ValueError, match="int16 and one-dimensional"):
        features.frames(audio)


def test_the_recordings_six_classes_are_read(tmp_path: Path) -> None:
    def write(name: str, clips: int, **table: np.ndarray) -> None:
        audio = np.repeat(np.arange(clips, dtype=np.int16), features.SAMPLES)
        soundfile.write(tmp_path / f"{name}.flac", audio, features.SAMPLE_RATE, subtype="PCM_16")
        np.savez(tmp_path / f"{name}.npz", **table)

    names = np.array(["go", "up", "_silence_", "_unknown_"])
    write("speech_commands_v2_test12", 5, label=np.array([3, 0, 1, 2, 1]), label_names=names)
    words = np.array(["yes", "cat", "down", "bed"])
    split = np.array(["training", "training", "validation", "validation"])
    write("speech_commands_trainval", 4, word=words, split=split)
    write("speech_commands_noise", 20)

    test = data.load_test(tmp_path)
    assert [data.CLASSES[c] for c in test.classes] == ["unknown", "up", "silence", "up"]
    assert test.audio[:, 0].tolist() == [0, 2, 3, 4]
    loaded = data.load_training(tmp_path)
    assert [data.CLASSES[c] for c in loaded.training.classes] == ["yes", "unknown"]
    assert [data.CLASSES[c] for c in loaded.validation.classes] == ["down", "unknown"]
    assert loaded.validation.audio[:, 0].tolist() == [2, 3]
    assert loaded.training_noise.shape == (1, 15 * features.SAMPLES)
    assert loaded.validation_noise[0, 0] == 15, "no noise is in both"


def test_a_folder_without_recordings_says_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="keyword_spotting/README"):
        data.load_test(tmp_path)


def test_an_augmented_copy_adds_unknown_words_and_silence(training_data) -> None:
    x, y = augment.augmented_copy(training_data, np.random.default_rng(0))
    assert x.shape == (len(y), features.FRAMES, features.CHANNELS)
    classes = training_data.training.classes
    unknown = (classes == data.UNKNOWN).sum()
    counts = np.bincount(y, minlength=6)
    assert counts[:4].tolist() == np.bincount(classes)[:4].tolist()
    assert counts[data.UNKNOWN] == unknown + unknown // 2
    assert counts[data.SILENCE] == (len(classes) - unknown) // 3


def test_augmentation_varies_a_clip_and_keeps_its_tone(noise: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    clip = tone(1000)
    clip[:7000] = clip[9000:] = 0  # short: the frontend takes what stays for noise
    versions = [augment.augmented(clip, noise, rng) for _ in range(12)]
    assert len({version.tobytes() for version in versions}) == 12

    def loudest_channel(x: np.ndarray) -> int:
        return int(x[20:].argmax()) % features.CHANNELS  # the noise is known by then

    for version in versions:  # at 0.87 to 1.15 times the speed it moves by two channels
        assert abs(loudest_channel(version) - loudest_channel(features.clip_features(clip))) <= 2


def test_a_made_up_word_is_a_reversed_one_or_halves_of_two() -> None:
    """Words of the first class are positive everywhere, those of the second negative."""
    rising = np.linspace(1000, 9000, features.SAMPLES).astype(np.int16)
    clips = data.Clips(np.stack([rising, rising // 2, -rising]), np.array([0, 0, 1]))
    reversed_clips = {clip[::-1].tobytes() for clip in clips.audio}
    rng = np.random.default_rng(0)
    words = [augment.no_word(clips, rng) for _ in range(30)]
    joined = [word for word in words if word.tobytes() not in reversed_clips]
    assert 0 < len(joined) < len(words)
    for word in joined:
        assert (word > 500).any()
        assert (word < -500).any()


def test_masks_hide_few_frames_and_channels() -> None:
    torch.manual_seed(0)
    hidden = train.masked(torch.ones(200, features.FRAMES, features.CHANNELS)) == 0
    frames, channels = hidden.all(2).sum(1), hidden.all(1).sum(1)
    assert 0 < frames.max() <= 16
    assert 0 < channels.max() <= 8
    assert not hidden.flatten(1).all(1).any()


def test_the_training_script_makes_the_committed_kind_of_weights(training_data) -> None:
    trained, mean, std = train.train(training_data, epochs=2, copies=1)
    committed, committed_mean, committed_std = run.load_model()
    shapes = {name: value.shape for name, value in trained.state_dict().items()}
    assert {name: value.shape for name, value in committed.state_dict().items()} == shapes
    assert mean.shape == std.shape == committed_mean.shape == committed_std.shape
    assert mean.dtype == std.dtype == committed_mean.dtype == np.float32
    assert sum(p.numel() for p in committed.parameters()) <= 35_000


def test_without_recordings_synthetic_audio_is_compiled_and_compared(
    run_example: RunExample, tmp_path: Path
) -> None:
    output = run_example("keyword_spotting", "--synthetic", "-o", str(tmp_path))
    assert "6 seconds of synthetic audio" in output
    assert (
        "6 seconds of synthetic audio, float32: same label in TFLM and PyTorch 100.00 %" in output
    )
    largest, in_integers = map(float, re.findall(r"largest (\S+)", output))
    assert largest < 1e-3
    assert largest < in_integers < 1
    assert "says nothing about accuracy" in output
    assert "accuracy │" not in output
    project, small = tmp_path / "float32", tmp_path / "int8"
    assert f"Project written to {project}" in output
    assert f"Project written to {small}" in output
    x = features.features(data.synthetic_audio())
    model, mean, std = run.load_model()
    expected = run_pytorch(model, (x - mean) / std)
    np.testing.assert_allclose(scanlet.open(project).run(x), expected, atol=1e-3)
    assert scanlet.open(small).precision == "int8"
    np.testing.assert_allclose(scanlet.open(small).run(x), expected, atol=in_integers + 1e-3)


def test_digital_silence_is_recognised_as_silence() -> None:
    """Without recordings, the one statement about committed weights that needs no speech."""
    model, mean, std = run.load_model()
    silence = (features.features(np.zeros((1, features.SAMPLES), np.int16)) - mean) / std
    assert data.CLASSES[int(run_pytorch(model, silence).argmax())] == "silence"


def test_real_clips_are_recognised_and_every_label_agrees(
    shared_data: Path, run_example: RunExample, table_row: TableRow, tmp_path: Path
) -> None:
    output = run_example(
        *("keyword_spotting", "--data", str(shared_data)),
        *("--limit", "250", "-o", str(tmp_path)),
    )
    pytorch, tflm = table_row(output, "accuracy")
    assert pytorch == tflm
    assert float(pytorch.split()[0]) > 83, "chance is 17 %"
    assert table_row(output, "same label as PyTorch")[1].startswith("100.00 %")
    for word in data.WORDS:
        assert float(table_row(output, word)[1].split()[0]) > 70
    assert "calibrated on 300 training clips" in output
    assert float(table_row(output, "int8")[2].split()[0]) >= 98.5


def test_no_training_speaker_is_in_the_test_set(shared_data: Path) -> None:
    def speakers(name: str) -> set[str]:
        files = np.load(shared_data / f"{name}.npz")["fname"]
        return {str(file).split("_nohash_")[0] for file in files if "_nohash_" in str(file)}

    assert not speakers("speech_commands_trainval") & speakers("speech_commands_v2_test12")
    assert len(data.load_test(shared_data).classes) == 2471
