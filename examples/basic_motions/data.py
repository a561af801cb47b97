"""The BasicMotions recordings: a smart watch's accelerometer and gyroscope, four activities.

80 recordings of 10 seconds, 6 channels at 10 Hz: 40 to train with, 40 to test with. They come
with the `aeon` package (Bagnall et al., "The UEA multivariate time series classification archive,
2018", arXiv:1811.00075). Only its data files are read: importing aeon would need its dependencies.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import numpy as np

CLASSES = ("Standing", "Running", "Walking", "Badminton")
CHANNELS = 6
STEPS = 100


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The recordings x (40, 100, 6) float32 and class indices y (40,) of "TRAIN" or "TEST"."""
    recordings, classes = [], []
    with _data_file(f"BasicMotions_{split}.ts").open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(("#", "@")) or not line.strip():
                continue
            *channels, label = line.strip().split(":")
            recordings.append([[float(value) for value in c.split(",")] for c in channels])
            classes.append(CLASSES.index(label))
    x = np.asarray(recordings, np.float32).transpose(0, 2, 1)  # from (B, channels, steps)
    return np.ascontiguousarray(x), np.asarray(classes)


def _data_file(name: str) -> Path:
    # `make` keeps the package apart, as its dependencies are missing; elsewhere it is installed.
    apart = Path(sys.prefix) / "example-data"
    for package in metadata.distributions(name="aeon", path=[*sys.path, str(apart)]):
        for file in package.files or []:
            if file.name == name:
                return Path(str(file.locate()))
    raise SystemExit(f"{name} not found. Install its package: pip install --no-deps aeon==1.6.0")
