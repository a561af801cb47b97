"""A histogram of a stream of numbers whose extent is not known ahead."""

from __future__ import annotations

import math

import numpy as np

#: Bins on each side of zero.
SIDE = 4096
#: Magnitude up to which a number counts as zero.
ZERO = 2.0**-900


class Histogram:
    """Counts in 2 SIDE equal bins around zero; zeros are counted apart.

    The bins' width is the power of two that just holds the largest magnitude so far (neighbours
    are merged as it grows), so the result depends neither on the order of the data nor on how it
    is cut into batches.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(2 * SIDE, np.int64)
        self.zeros = 0
        self.width = 0.0
        self.minimum, self.maximum = math.inf, -math.inf

    def update(self, values: np.ndarray) -> None:
        """Count finite numbers of any shape."""
        values = values.ravel()
        if not values.size:
            return
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        others = values[np.abs(values) > ZERO]
        self.zeros += values.size - others.size
        if others.size:
            exponent = math.frexp(max(-self.minimum, self.maximum))[1]
            self._widen(math.ldexp(1.0, exponent) / SIDE)
            bins = np.floor(others.astype(np.float64) / self.width).astype(np.int64) + SIDE
            self.counts += np.bincount(bins, minlength=2 * SIDE)

    @property
    def total(self) -> int:
        return int(self.counts.sum()) + self.zeros

    @property
    def centres(self) -> np.ndarray:
        """What the numbers in each bin are taken for."""
        return (np.arange(-SIDE, SIDE) + 0.5) * self.width

    def trimmed(self, share: float, *, zeros: bool = True) -> tuple[float, float]:
        """The range that is left when at most `share` of all numbers are cut off at each end.

        Without `zeros` those are left out of consideration.
        """
        if self.width == 0:  # nothing but zeros, or as good as zero
            return self.minimum, self.maximum
        counts = self.counts.copy()
        counts[SIDE] += self.zeros if zeros else 0
        allowed = share * counts.sum()
        first = int(np.searchsorted(np.cumsum(counts), allowed, side="right"))
        last = 2 * SIDE - int(np.searchsorted(np.cumsum(counts[::-1]), allowed, side="right"))
        low, high = (first - SIDE) * self.width, (last - SIDE) * self.width
        return max(low, self.minimum), min(high, self.maximum)

    def outside(self, low: float, high: float) -> int:
        """How many numbers lie below `low` or above `high`, in whole bins."""
        half = self.width / 2
        below = (self.centres + half <= low) & (low > self.minimum)
        beyond = below | (self.centres - half >= high) & (high < self.maximum)
        return int(self.counts[beyond].sum()) + (0 if low <= 0 <= high else self.zeros)

    def power(self) -> float:
        """Mean square of all numbers."""
        return float((self.counts * self.centres**2).sum()) / max(self.total, 1)

    def noise(self, low: np.ndarray, high: np.ndarray, levels: int) -> np.ndarray:
        """Mean squared error of the numbers in `levels` equal steps from low <= 0 to high >= 0.

        Within the range an error is uniform over a step (zeros have none), beyond it the distance
        to the range. `low` and `high` broadcast; all pairs at once by running sums.
        """
        low, high = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
        sums = [np.concatenate([[0.0], np.cumsum(self.counts * self.centres**p)]) for p in range(3)]
        first = np.searchsorted(self.centres, low, side="left")  # bins before it are below
        last = np.searchsorted(self.centres, high, side="right")  # those from it on are above
        below = sums[2][first] - 2 * low * sums[1][first] + low**2 * sums[0][first]
        rest = [total[-1] - total[last] for total in sums]
        above = rest[2] - 2 * high * rest[1] + high**2 * rest[0]
        inside = sums[0][last] - sums[0][first]
        step = (high - low) / (levels - 1)
        return (below + above + inside * step**2 / 12) / max(self.total, 1)

    def _widen(self, width: float) -> None:
        if self.width == 0:
            self.width = width
        while self.width < width:
            # Bins i and i + 1 (i even, counted from the lowest) become one, half as far from zero.
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.pad(merged, SIDE // 2)
            self.width *= 2
