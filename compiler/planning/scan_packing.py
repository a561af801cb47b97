"""The weights of the float recurrence as its kernel reads them."""

from __future__ import annotations

import math

import numpy as np

#: How far the exponent of a decay goes without a clamp; 2^-126 is the smallest normal float.
MOST_OCTAVES = 125.0


def octaves(rates: np.ndarray) -> np.ndarray:
    """A times log2(e): the decay is then 2^(delta * A)."""
    return np.asarray(rates, np.float64) * math.log2(math.e)


def skips(rates: np.ndarray, skip: np.ndarray) -> np.ndarray:
    """For each channel D, and the step up to which no 2^(delta * A') leaves a float's range."""
    steepest = np.abs(octaves(rates)).max(axis=1)
    largest = np.minimum(MOST_OCTAVES / np.maximum(steepest, 1e-30), 1e30)
    return np.stack([skip, largest], axis=1)
