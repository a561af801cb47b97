"""Calibration samples that are out of proportion to the others: they make int8 useless for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scanlet.quantization.histogram import Histogram
from scanlet.quantization.observers import PERCENTILE
from scanlet.quantization.tensor_statistics import TensorStatistics

#: A range that is so many times the typical sample's magnitude leaves it 8 of 255 steps.
FAR = 32
#: Fewer samples have no typical one.
FEWEST = 3
NAMED_SAMPLES = 3


def outlying_samples(
    tensors: Mapping[str, TensorStatistics],
    peaks: Mapping[str, np.ndarray],
    histograms: Mapping[str, Histogram],
) -> list[str]:
    """A warning if single samples stretch the ranges of tensors; names the first such tensor.

    `peaks` are the largest magnitudes (samples,) by tensor, in the order of computation.
    """
    stretched = [
        seen
        for name, seen in tensors.items()
        if len(peaks[name]) >= FEWEST
        and 0 < FAR * typical(peaks[name]) < min(max(-seen.low, seen.high), peaks[name].max())
    ]
    if not stretched:
        return []
    first = stretched[0]
    of_first = peaks[first.name]
    usual = typical(of_first)
    far = np.flatnonzero(of_first > FAR * usual)
    worst = far[np.argsort(-of_first[far], kind="stable")]
    named = ", ".join(str(number) for number in worst[:NAMED_SAMPLES])
    more = f" and {len(worst) - NAMED_SAMPLES} more" if len(worst) > NAMED_SAMPLES else ""
    others = f", and alike in {len(stretched) - 1} more tensors" if stretched[1:] else ""
    largest = float(of_first.max())
    scale = (max(first.high, 0.0) - min(first.low, 0.0)) / 255
    cut = max(np.abs(histograms[first.name].trimmed(1 - PERCENTILE / 100)))
    clip = first.observer == "minmax" and cut <= FAR * usual
    return [
        f"tensor {first.name!r}: calibration sample {named}{more} (counted from 0) reaches "
        f"{largest:.3g}, {largest / usual:,.0f} times what a typical one does ({usual:.3g}); one "
        f"int8 step is {scale:.3g} for that reason{others}; remove it if it does not occur in use"
        + (", or let observer='percentile' cut it off" if clip else "")
    ]


def typical(peaks: np.ndarray) -> float:
    """The median over the samples."""
    return float(np.median(peaks))
