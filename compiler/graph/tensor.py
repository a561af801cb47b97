"""Tensors of the graph: a name, a static shape, an element type and, for constants, the data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

DTYPES = ("float32", "int8", "int16", "int32", "int64", "bool")


@dataclass(frozen=True)
class Quantization:
    """Affine quantization as in TFLite: real = scale * (stored - zero_point).

    `scales` and `zero_points` have one entry (per tensor) or one an index of `axis` (per channel).
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None


@dataclass(eq=False)
class Tensor:
    """A value in the graph.

    `data` of a constant may be held in float64 while `dtype` says float32: passes that compose
    weights work in float64 and rounding happens once, when the flatbuffer is written.
    Identity is by object, names are for people (and unique in a valid graph).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    data: np.ndarray | None = field(default=None, repr=False)
    quantization: Quantization | None = None

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes that the tensor takes on the target (by `dtype`, not by how `data` is held)."""
        return self.size * np.dtype(self.dtype).itemsize


def constant(name: str, data: np.ndarray, dtype: str = "float32") -> Tensor:
    """Make a constant tensor; the shape follows the data."""
    array = np.asarray(data)
    return Tensor(name, tuple(int(n) for n in array.shape), dtype, array)
