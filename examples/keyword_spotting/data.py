"""Speech Commands: one-second clips of single words, six classes.

Warden: "Speech Commands: a dataset for limited-vocabulary speech recognition", 2018,
arXiv:1804.03209, CC BY 4.0. The test clips are the complete official test set's of the six
classes; training and validation clips are apart as the data set's own list says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from examples.keyword_spotting.features import SAMPLE_RATE, SAMPLES

WORDS = ("yes", "no", "up", "down")
CLASSES = (*WORDS, "unknown", "silence")
UNKNOWN, SILENCE = CLASSES.index("unknown"), CLASSES.index("silence")
WHERE_FROM = """\
The recordings are in four files (two .flac with a .npz each, and the background noise), described
in examples/keyword_spotting/README.md. Give their folder as --data, or in SCANLET_DATA."""

_TRAINING = "speech_commands_trainval"
_TEST = "speech_commands_v2_test12"
_NOISE = "speech_commands_noise.flac"
_NOISE_SECONDS = 20  # of each recording
_NOISE_TRAINING_SECONDS = 15  # the rest is for validation


@dataclass(frozen=True)
class Clips:
    """audio (B, 16000) int16, classes (B,) indices into CLASSES."""

    audio: np.ndarray
    classes: np.ndarray

    def where(self, chosen: np.ndarray) -> Clips:
        return Clips(self.audio[chosen], self.classes[chosen])


@dataclass(frozen=True)
class TrainingData:
    """Clips without silence, and what silence is cut from: noise (6, samples) int16."""

    training: Clips
    validation: Clips
    training_noise: np.ndarray
    validation_noise: np.ndarray


def has_recordings(folder: Path) -> bool:
    return (folder / f"{_TEST}.flac").is_file()


def load_training(folder: Path) -> TrainingData:
    """yes, no, up, down, three other words as "unknown", and the background noise."""
    audio, table = _read(folder, _TRAINING)
    classes = np.array([WORDS.index(w) if w in WORDS else UNKNOWN for w in table["word"]])
    training = table["split"] == "training"
    noise = _read_audio(folder / _NOISE).reshape(-1, _NOISE_SECONDS * SAMPLE_RATE)
    border = _NOISE_TRAINING_SECONDS * SAMPLE_RATE
    return TrainingData(
        training=Clips(audio[training], classes[training]),
        validation=Clips(audio[~training], classes[~training]),
        training_noise=noise[:, :border],
        validation_noise=noise[:, border:],
    )


def load_test(folder: Path) -> Clips:
    """The official 12-class test set's clips of the six classes, all of them."""
    audio, table = _read(folder, _TEST)
    names = [str(name).strip("_") for name in table["label_names"][table["label"]]]
    chosen = np.array([name in CLASSES for name in names])
    classes = [CLASSES.index(name) for name in names if name in CLASSES]
    return Clips(audio[chosen], np.array(classes))


def synthetic_audio() -> np.ndarray:
    """Six seconds of sounds made here, (6, 16000) int16, the same at every call; no speech."""
    rng = np.random.default_rng(0)
    seconds = np.arange(SAMPLES) / SAMPLE_RATE
    noise = rng.standard_normal(SAMPLES)
    burst = np.exp(-(((seconds - 0.5) / 0.15) ** 2))  # as long as a short word
    rising = np.sin(2 * np.pi * (300 + 1200 * seconds) * seconds)
    falling = np.sin(2 * np.pi * (2500 - 1000 * seconds) * seconds)
    buzz = np.sign(np.sin(2 * np.pi * 120 * seconds))  # many harmonics, as a voice has
    sounds = [
        0.3 * burst * rising,
        0.3 * burst * falling,
        0.2 * burst * buzz,
        0.2 * burst * noise,
        0.01 * noise,
        np.zeros(SAMPLES),
    ]
    return np.round(32767 * np.clip(sounds, -1, 1)).astype(np.int16)


def _read(folder: Path, name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    table = folder / f"{name}.npz"
    if not table.is_file():
        raise SystemExit(f"No {table.name} in {folder}.\n{WHERE_FROM}")
    return _read_audio(folder / f"{name}.flac").reshape(-1, SAMPLES), dict(np.load(table))


def _read_audio(path: Path) -> np.ndarray:
    import soundfile  # reads FLAC; not needed without recordings

    if not path.is_file():
        raise SystemExit(f"No {path.name} in {path.parent}.\n{WHERE_FROM}")
    samples, rate = soundfile.read(path, dtype="int16")
    if rate != SAMPLE_RATE:
        raise SystemExit(f"{path} has {rate} samples a second; it is {SAMPLE_RATE}.")
    return samples
