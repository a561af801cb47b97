"""Between real numbers and stored integers: the edges of what runs in float."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanlet.graph.operators.base import Operator, Shape


def to_stored(
    real: np.ndarray, scale: np.ndarray | float, zero_point: np.ndarray | int, dtype: str
) -> np.ndarray:
    """round(real / scale) + zero_point, saturated to `dtype`; halves away from zero, as TFLite."""
    scaled = np.asarray(real, np.float64) / scale
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled) + zero_point
    info = np.iinfo(dtype)
    return np.asarray(np.clip(rounded, info.min, info.max), dtype)


@dataclass(frozen=True)
class Quantize(Operator):
    """Stored integers of `dtype` for real values: round(x / scale) + zero_point, saturated.

    The input may be quantized itself; it is then rescaled.
    """

    scale: float
    zero_point: int
    dtype: str

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        """`arrays` holds real values."""
        return to_stored(arrays[0], self.scale, self.zero_point, self.dtype)


@dataclass(frozen=True)
class Dequantize(Operator):
    """Real values of stored integers of `dtype`: (q - zero_point) * scale."""

    scale: float
    zero_point: int
    dtype: str

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return (arrays[0].astype(np.float64) - self.zero_point) * self.scale
