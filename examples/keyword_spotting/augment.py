"""Training clips as other voices and rooms would have made them; words that nobody said."""

from __future__ import annotations

import numpy as np

from examples.keyword_spotting.data import SILENCE, UNKNOWN, Clips, TrainingData
from examples.keyword_spotting.features import FRAMES, SAMPLE_RATE, SAMPLES, STEP, frames

SHIFT = SAMPLE_RATE // 8
FADE = SAMPLE_RATE // 50


def augmented_copy(data: TrainingData, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Every training clip once more, made-up unknown words, and silence: (B, 98, 40) and (B,).

    The three unknown words to train with are far from all words there are: half as many again are
    made of the known ones, played backwards or out of two halves.
    """
    audio, classes = data.training.audio, data.training.classes
    known = data.training.where(classes != UNKNOWN)
    made_up = int((classes == UNKNOWN).sum()) // 2
    silent = len(known.audio) // 3
    x = [augmented(clip, data.training_noise, rng) for clip in audio]
    x += [augmented(no_word(known, rng), data.training_noise, rng) for _ in range(made_up)]
    x += [noise_features(data.training_noise, rng) for _ in range(silent)]
    return np.stack(x), np.concatenate(
        [classes, np.full(made_up, UNKNOWN), np.full(silent, SILENCE)]
    )


def augmented(clip: np.ndarray, noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Features (98, 40) of an int16 clip at another speed, place, loudness, in noise."""
    sound = _shift(_resample(clip.astype(np.float32), rng.uniform(0.87, 1.15)), rng)
    sound *= 10 ** (rng.uniform(-12, 6) / 20)
    heard_before = STEP * int(rng.integers(0, 50)) if rng.random() < 0.5 else 0
    background = np.zeros(heard_before + SAMPLES, np.float32)
    if rng.random() < 0.6:
        background += _cut(noise, len(background), rng)
        snr = 10 ** (rng.uniform(3, 30) / 20)
        background *= _rms(sound) / snr / max(_rms(background), 1.0)
    background[heard_before:] += sound
    return frames(_int16(background))[-FRAMES:]


def noise_features(noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Features (98, 40) of silence: background noise of any loudness, now and then digital zero."""
    heard_before = STEP * int(rng.integers(0, 50)) if rng.random() < 0.3 else 0
    loudness = 0.0 if rng.random() < 0.05 else 10 ** (rng.uniform(-40, 6) / 20)
    return frames(_int16(loudness * _cut(noise, heard_before + SAMPLES, rng)))[-FRAMES:]


def no_word(clips: Clips, rng: np.random.Generator) -> np.ndarray:
    """A clip (16000,) int16 of speech that is none of the words.

    A word played backwards, or the first half of one and the second half of another.
    """
    one = rng.integers(len(clips.audio))
    first = clips.audio[one]
    if rng.random() < 0.5:
        return first[::-1].copy()
    other = rng.choice(np.flatnonzero(clips.classes != clips.classes[one]))
    second = clips.audio[other]
    before, after = first[: _middle(first)], second[_middle(second) :]
    fade_in = np.minimum(np.arange(SAMPLES) / FADE, 1)
    joined = np.concatenate([before * fade_in[: len(before)][::-1], after * fade_in[: len(after)]])
    clip = np.zeros(SAMPLES, np.float32)
    clip[: len(joined)] = joined[:SAMPLES]
    return _int16(clip)


def _middle(clip: np.ndarray) -> int:
    """The sample before which half of the clip's energy lies, away from both ends."""
    energy = np.cumsum(clip.astype(np.float64) ** 2)
    return int(
        np.clip(np.searchsorted(energy, energy[-1] / 2), SAMPLES // 5, SAMPLES - SAMPLES // 5)
    )


def _resample(sound: np.ndarray, speed: float) -> np.ndarray:
    """Faster and higher, or slower and lower, around the clip's middle."""
    middle = (SAMPLES - 1) / 2
    positions = (np.arange(SAMPLES) - middle) * speed + middle
    return np.interp(positions, np.arange(SAMPLES), sound, left=0, right=0).astype(np.float32)


def _shift(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Later or earlier by up to an eighth of a second, zeros moving in."""
    by = int(rng.integers(-SHIFT, SHIFT + 1))
    shifted = np.roll(sound, by)
    if by > 0:
        shifted[:by] = 0
    elif by < 0:
        shifted[by:] = 0
    return shifted


def _cut(noise: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    recording = noise[rng.integers(len(noise))]
    start = rng.integers(len(recording) - samples + 1)
    return recording[start : start + samples].astype(np.float32)


def _rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def _int16(sound: np.ndarray) -> np.ndarray:
    return np.clip(np.round(sound), -32768, 32767).astype(np.int16)
