"""What calibration found out about one tensor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorStatistics:
    """Values of one activation over all samples."""

    name: str
    low: float  # the range chosen for quantization
    high: float
    minimum: float  # what was seen
    maximum: float
    clipped: float  # share of the values outside of the chosen range
    noise_db: float  # signal to noise of int8 in that range, clipping included
    observer: str
