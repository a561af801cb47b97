"""A long recording: clips one after another with background noise in between, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pymicro_features import MicroFrontend

from examples.keyword_spotting.data import SILENCE, Clips, synthetic_audio
from examples.keyword_spotting.features import SAMPLE_RATE, STEP

#: Seconds of background between two clips, least and most, and how loud it is.
PAUSE, LOUDNESS = (0.5, 1.5), 0.3


@dataclass(frozen=True)
class Word:
    """A clip in the recording: where its second begins, and its index into CLASSES."""

    start: float
    kind: int


@dataclass(frozen=True)
class Recording:
    """audio (samples,) int16, and its words in order."""

    audio: np.ndarray
    words: tuple[Word, ...]

    @property
    def seconds(self) -> float:
        return len(self.audio) / SAMPLE_RATE


def from_clips(clips: Clips, noise: np.ndarray, seed: int = 0) -> Recording:
    """All clips but silence in random order; noise (n, samples) int16 between them."""
    rng = np.random.default_rng(seed)
    parts, words, at = [], [], 0
    for index in rng.permutation(np.flatnonzero(clips.classes != SILENCE)):
        pause = int(rng.uniform(*PAUSE) * SAMPLE_RATE)
        background = noise[rng.integers(len(noise))]
        start = rng.integers(0, len(background) - pause)
        parts.append((LOUDNESS * background[start : start + pause]).astype(np.int16))
        words.append(Word((at + pause) / SAMPLE_RATE, int(clips.classes[index])))
        parts.append(clips.audio[index])
        at += pause + len(clips.audio[index])
    return Recording(np.concatenate(parts), tuple(words))


def synthetic() -> Recording:
    """Sounds made here, no speech."""
    return Recording(np.concatenate(list(synthetic_audio())), ())


def frames_of(audio: np.ndarray) -> Iterator[np.ndarray]:
    """Features (40,) float32, one every 10 ms, as the frontend gives them while the sound comes."""
    frontend = MicroFrontend()
    for start in range(0, len(audio) - STEP + 1, STEP):
        row = frontend.process_samples(audio[start : start + STEP].tobytes()).features
        if row:
            yield np.asarray(row, np.float32)
