"""Scale and zero point of a tensor in TFLite's conventions: real = scale * (stored - zero_point).

int8 activations are asymmetric and use all 256 values, int16 ones are symmetric with a zero point
of 0. Zero is exactly representable: padding and fused ReLUs need it. Scales are float32 numbers,
as the flatbuffer holds them, so that compiler and interpreter derive the same multipliers.
"""

from __future__ import annotations

import numpy as np

from scanlet.graph import Quantization

#: Fixed quantization of operators whose results lie in a known range, by kind and type.
FIXED_OUTPUTS = {
    ("softmax", "int8"): Quantization((1 / 256,), (-128,)),
    ("softmax", "int16"): Quantization((1 / 32768,), (0,)),
    ("sigmoid", "int8"): Quantization((1 / 256,), (-128,)),
    ("sigmoid", "int16"): Quantization((1 / 32768,), (0,)),
    ("tanh", "int8"): Quantization((1 / 128,), (0,)),
    ("tanh", "int16"): Quantization((1 / 32768,), (0,)),
}
#: A step for tensors that are zero throughout, and the least step of any tensor.
ZERO_STEP, LEAST_STEP = 1 / 128, 1e-12


def float32(value: float) -> float:
    """The nearest float32 number."""
    return float(np.float32(value))


def for_range(low: float, high: float, dtype: str, *, least_scale: float = 0.0) -> Quantization:
    """The quantization of an activation that takes values from `low` to `high`.

    `least_scale` is a lower bound of the scale; the range then extends beyond the given one.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if dtype == "int16":
        scale = max(-low, high) / 32767
        return Quantization((_step(scale, least_scale),), (0,))
    scale = _step((high - low) / 255, least_scale)
    zero_point = round(min(max(-128 - low / scale, -128), 127))
    return Quantization((scale,), (zero_point,))


def span(quantization: Quantization, dtype: str) -> tuple[float, float]:
    """The least and the largest real value of a tensor with one scale."""
    info = np.iinfo(dtype)
    scale, zero_point = quantization.scales[0], quantization.zero_points[0]
    return (info.min - zero_point) * scale, (info.max - zero_point) * scale


def per_channel(scales: np.ndarray) -> Quantization:
    """Symmetric quantization along axis 0."""
    return Quantization(tuple(float32(s) for s in scales), (0,) * len(scales), 0)


def _step(scale: float, least: float) -> float:
    return float32(max(scale if scale > 0 else ZERO_STEP, least, LEAST_STEP))
