"""Log-mel features of one second of speech, from the frontend that also runs on the device.

The package `pymicro-features` wraps the micro frontend of TensorFlow Lite Micro (C, fixed point).
It fixes the frontend's settings; firmware has to choose the same ones:

- 16 kHz mono int16; windows of 30 ms, one every 10 ms; 40 mel channels from 125 to 7500 Hz
- noise reduction: smoothing_bits 10, even_smoothing 0.025, odd_smoothing 0.06,
  min_signal_remaining 0.05
- PCAN gain control: strength 0.95, offset 80, gain_bits 21
- logarithm with scale_shift 6

The frontend's C interface returns uint16 values of 0 to about 670; the package, and the network
here, take each of them times 10 / 256 (`SCALE`), exactly representable in float32.

The frontend has a memory (an estimate of the noise in each channel), which starts at zero: the
features of a clip depend on what was heard before. Here each clip starts afresh.
"""

from __future__ import annotations

import numpy as np
from pymicro_features import MicroFrontend

SAMPLE_RATE = 16_000
SAMPLES = SAMPLE_RATE  # one second
STEP = SAMPLE_RATE // 100  # the frontend takes 10 ms at a time
CHANNELS = 40
FRAMES = 98  # of one second: a window of 480 samples every 160
SCALE = 10 / 256


def frames(audio: np.ndarray) -> np.ndarray:
    """Features (1 + (samples - 480) // 160, 40) float32 of int16 audio, from a fresh frontend."""
    if audio.dtype != np.int16 or audio.ndim != 1:
        raise ValueError(f"audio is {audio.dtype} {audio.shape}; it is int16 and one-dimensional")
    frontend = MicroFrontend()
    rows = []
    for start in range(0, len(audio) - STEP + 1, STEP):
        row = frontend.process_samples(audio[start : start + STEP].tobytes()).features
        if row:  # none until the first window is full
            rows.append(row)
    return np.asarray(rows, np.float32).reshape(-1, CHANNELS)


def clip_features(audio: np.ndarray) -> np.ndarray:
    """Features (98, 40) of the first second of int16 audio; shorter audio is followed by zeros."""
    clip = np.zeros(SAMPLES, np.int16)
    clip[: len(audio)] = audio[:SAMPLES]
    return frames(clip)


def features(clips: np.ndarray) -> np.ndarray:
    """Features (B, 98, 40) float32 of int16 clips (B, samples)."""
    rows = [clip_features(clip) for clip in clips]
    return np.stack(rows) if rows else np.zeros((0, FRAMES, CHANNELS), np.float32)
