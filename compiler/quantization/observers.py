"""Observers: the range of a tensor, or of each of its channels, from a stream of its values.

minmax      everything that was seen; nothing is clipped
percentile  all but the outermost values at both ends
mse         the range with the least mean squared error at a number of bits, clipping included
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from scanlet.errors import CalibrationError, InputError
from scanlet.quantization.histogram import Histogram

Bound = float | np.ndarray

#: What `Percentile` keeps at each end, by default.
PERCENTILE = 99.99
#: Candidates of each end of the range, as shares of the extreme value: finer where little is cut.
_SHARES = np.concatenate([np.linspace(0.02, 0.9, 45), np.linspace(0.91, 1.0, 46)])


class Observer(ABC):
    """Base class. `name` is that of the tensor, for messages.

    With `axis` every index of that axis has a range of its own: `range` then gives two arrays.
    """

    def __init__(self, name: str, axis: int | None = None) -> None:
        self.name = name
        self.axis = axis

    def update(self, array: np.ndarray) -> None:
        """Take note of all values. Raises CalibrationError if one is NaN or infinite."""
        check_finite(self.name, array)
        if self.axis is None:
            self._update(array.reshape(1, -1))
        else:
            moved = np.moveaxis(array, self.axis, 0)
            self._update(moved.reshape(len(moved), -1))

    def range(self) -> tuple[Bound, Bound]:
        """(low, high): floats, or arrays (channels,) with `axis`. Equal where a value is constant.

        Raises CalibrationError if nothing was seen.
        """
        low, high = self._range()
        if not len(low) or not np.isfinite(low).all():
            raise CalibrationError("no value was seen in calibration", where=self.name)
        return (float(low[0]), float(high[0])) if self.axis is None else (low, high)

    @abstractmethod
    def _update(self, rows: np.ndarray) -> None:
        """Take note of values (channels, n)."""

    @abstractmethod
    def _range(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest value of each channel."""


class MinMax(Observer):
    """The least and the greatest value."""

    def __init__(self, name: str, axis: int | None = None) -> None:
        super().__init__(name, axis)
        self._low, self._high = np.empty(0), np.empty(0)

    def _update(self, rows: np.ndarray) -> None:
        low = rows.min(axis=1, initial=np.inf).astype(np.float64)
        high = rows.max(axis=1, initial=-np.inf).astype(np.float64)
        self._low = np.minimum(self._low, low) if len(self._low) else low
        self._high = np.maximum(self._high, high) if len(self._high) else high

    def _range(self) -> tuple[np.ndarray, np.ndarray]:
        return self._low, self._high


class HistogramObserver(Observer):
    """Base class of observers that choose a range from the distribution of the values."""

    def __init__(self, name: str, axis: int | None = None) -> None:
        super().__init__(name, axis)
        self.histograms: list[Histogram] = []

    def _update(self, rows: np.ndarray) -> None:
        self.histograms = self.histograms or [Histogram() for _ in rows]
        for histogram, row in zip(self.histograms, rows, strict=True):
            histogram.update(row)

    def _range(self) -> tuple[np.ndarray, np.ndarray]:
        seen = all(histogram.total for histogram in self.histograms)
        ranges = [self.choose(histogram) for histogram in self.histograms if seen]
        bounds = np.array(ranges, np.float64).reshape(-1, 2)
        return bounds[:, 0], bounds[:, 1]

    @abstractmethod
    def choose(self, histogram: Histogram) -> tuple[float, float]:
        """The range for values so distributed."""


class Percentile(HistogramObserver):
    """All but the outermost values: `percentile` percent lie below the upper end, and as many
    above the lower one."""

    def __init__(
        self, name: str, axis: int | None = None, *, percentile: float = PERCENTILE
    ) -> None:
        if not 50 < percentile <= 100:
            raise InputError(
                f"percentile is {percentile}", hint="more than 50 and at most 100 percent"
            )
        super().__init__(name, axis)
        self.percentile = percentile

    def choose(self, histogram: Histogram) -> tuple[float, float]:
        return histogram.trimmed(1 - self.percentile / 100)


class ErrorMinimising(HistogramObserver):
    """The range, never beyond the extremes, that has the least mean squared error at `bits`."""

    def __init__(self, name: str, axis: int | None = None, *, bits: int = 8) -> None:
        super().__init__(name, axis)
        self.levels = 1 << bits

    def choose(self, histogram: Histogram) -> tuple[float, float]:
        if histogram.minimum == histogram.maximum:
            return histogram.minimum, histogram.maximum
        low = min(histogram.minimum, 0.0) * _SHARES[:, np.newaxis]
        high = max(histogram.maximum, 0.0) * _SHARES
        noise = histogram.noise(low, high, self.levels)
        least = noise <= noise.min() * (1 + 1e-9)
        # Of equally good ones the widest.
        widths = np.where(least, high - low, -1.0)
        i, j = np.unravel_index(int(np.argmax(widths)), widths.shape)
        return (
            max(float(low[i, 0]), histogram.minimum),
            min(float(high[j]), histogram.maximum),
        )


OBSERVERS = ("minmax", "percentile", "mse")


def make_observer(kind: str, name: str, axis: int | None = None) -> Observer:
    """The observer of that kind, one of OBSERVERS. Raises InputError for another."""
    match kind:
        case "minmax":
            return MinMax(name, axis)
        case "percentile":
            return Percentile(name, axis)
        case "mse":
            return ErrorMinimising(name, axis)
    raise InputError(f"observer is {kind!r}", hint=f"choose one of {', '.join(OBSERVERS)}")


def check_finite(name: str, array: np.ndarray) -> None:
    """Raise CalibrationError, naming the tensor, if a value is NaN or infinite."""
    finite = np.isfinite(array)
    if finite.all():
        return
    what = "NaN" if np.isnan(array).any() else "infinite"
    raise CalibrationError(
        f"{int(np.count_nonzero(~finite))} of {array.size} values are {what} in the float model",
        where=f"tensor {name!r}",
        hint="look for samples of another scale than the training data, or a division by zero",
    )
