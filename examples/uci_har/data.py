"""UCI HAR: a phone at the waist of 30 people, six activities, windows of 128 steps at 50 Hz.

Nine channels: body acceleration xyz [g], angular velocity xyz [rad/s], total acceleration xyz [g].
7,352 windows of 21 people to train with, 2,947 of the other 9 to test with (the official split).
Anguita, Ghio, Oneto, Parra, Reyes-Ortiz: "A public domain dataset for human activity recognition
using smartphones", ESANN 2013. Its README forbids commercial use.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import signal

CLASSES = ("Walking", "Upstairs", "Downstairs", "Sitting", "Standing", "Laying")
STEPS = 128
CHANNELS = 9
WHERE_FROM = """\
This example needs the data set "Human Activity Recognition Using Smartphones" of the UCI Machine
Learning Repository (data set 240). Download and unpack it, then give the folder that holds
"UCI HAR Dataset" (or that folder itself) as --data, or in SCANLET_DATA."""

_SIGNALS = ("body_acc", "body_gyro", "total_acc")
_COMPACT = "uci_har_raw_int16.npz"
_RATE = 50.0  # samples a second
_G_PER_COUNT = 1 / 720
_DEGREES_PER_COUNT = 0.0175  # the gyroscope's, each second


@dataclass(frozen=True)
class Windows:
    """x (B, 128, 9) float32, y (B,) class indices 0..5, subject (B,) the person's number."""

    x: np.ndarray
    y: np.ndarray
    subject: np.ndarray

    def where(self, chosen: np.ndarray) -> Windows:
        return Windows(self.x[chosen], self.y[chosen], self.subject[chosen])


def load(folder: Path) -> tuple[Windows, Windows]:
    """Training and test windows, from the official text files or from the compact recording."""
    for candidate in (folder, folder / "UCI HAR Dataset"):
        if (candidate / "train" / "Inertial Signals").is_dir():
            return _read_official(candidate, "train"), _read_official(candidate, "test")
    if (folder / _COMPACT).is_file():
        return _read_compact(folder / _COMPACT)
    raise SystemExit(f"No UCI HAR recordings in {folder}.\n{WHERE_FROM}")


def _read_official(folder: Path, split: str) -> Windows:
    """One split of the data set as it is published: a text file of (B, 128) for each channel."""
    part = folder / split
    channels = [
        np.loadtxt(part / "Inertial Signals" / f"{name}_{axis}_{split}.txt", np.float32, ndmin=2)
        for name in _SIGNALS
        for axis in "xyz"
    ]
    return Windows(
        np.stack(channels, axis=-1),
        np.loadtxt(part / f"y_{split}.txt", int, ndmin=1) - 1,
        np.loadtxt(part / f"subject_{split}.txt", int, ndmin=1),
    )


def _read_compact(path: Path) -> tuple[Windows, Windows]:
    """Both splits from the phone's unfiltered recordings in int16.

    The file holds `q` (samples, 6) acceleration and angular velocity, `rec_offset` (the start of
    each recording, and the end), `win_start`, `y` (1..6), `subject` and `is_train` of each window.
    """
    stored = np.load(path)
    scale = np.repeat([_G_PER_COUNT, np.deg2rad(_DEGREES_PER_COUNT)], 3)
    bounds = stored["rec_offset"]
    channels = np.concatenate(
        [_filter(stored["q"][start:end] * scale) for start, end in pairwise(bounds)]
    )
    rows = stored["win_start"][:, None] + np.arange(STEPS)
    windows = Windows(channels[rows], stored["y"].astype(int) - 1, stored["subject"].astype(int))
    return windows.where(stored["is_train"]), windows.where(~stored["is_train"])


def _filter(recording: np.ndarray) -> np.ndarray:
    """The published signal chain for one recording (samples, 6): the nine channels, float32.

    A median of three and a Butterworth low-pass at 20 Hz against noise; then gravity (below
    0.3 Hz) leaves the acceleration and drift (below 0.1 Hz) leaves the angular velocity.
    """

    def low_pass(x: np.ndarray, order: int, hertz: float) -> np.ndarray:
        return signal.sosfilt(signal.butter(order, hertz, fs=_RATE, output="sos"), x, axis=0)

    smooth = low_pass(signal.medfilt2d(recording, (3, 1)), 10, 20.0)
    acceleration, angular = smooth[:, :3], smooth[:, 3:]
    body = acceleration - low_pass(acceleration, 3, 0.3)
    turning = angular - low_pass(angular, 2, 0.1)
    return np.concatenate([body, turning, acceleration], axis=1).astype(np.float32)
