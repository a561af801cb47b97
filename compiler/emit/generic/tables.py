"""Tables of the generic library's integer functions, as float64 expressions rounded once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scanlet.graph import Node
from scanlet.graph.quantized import dequantized, quantized

#: Bits of the largest entry of the exponentials, at most: 256 times it fits 32 bits.
EXP_BITS = 23


def function8(node: Node) -> np.ndarray:
    """A pointwise function of int8: the stored result for each stored argument from -128 on."""
    x, y = node.inputs[0], node.output
    assert x.quantization is not None
    assert y.quantization is not None
    real = dequantized(np.arange(-128, 128), x.quantization)
    return quantized(node.op.evaluate(real), y.quantization, "int8")


def sigmoid16() -> np.ndarray:
    """sigmoid(i / 24) in steps of 2^-16, 0 <= i < 256."""
    exact = 65536 / (1 + np.exp(-np.arange(256) / 24))
    return np.minimum(np.round(exact), 65535).astype(np.uint16)


def exponentials8(scale: float, width: int) -> np.ndarray:
    """exp(-d * scale), 0 <= d < 256, so that the sum of `width` entries fits 32 bits."""
    bits = min(EXP_BITS, 32 - width.bit_length())
    return np.round(np.exp(-np.arange(256) * scale) * 2.0**bits).astype(np.uint32)


def softmax16() -> tuple[np.ndarray, np.ndarray]:
    """exp over [-10, 0] and 1 / (1 + v) over [0, 1] at 513 points, in steps of 2^-15."""
    place = np.arange(513) / 512
    return _lifted(np.exp, -10.0 + 10.0 * place), _lifted(lambda v: 1 / (1 + v), place)


def _lifted(function: Callable[[np.ndarray], np.ndarray], points: np.ndarray) -> np.ndarray:
    """Samples, shifted by half the error that the chord has in the middle of each piece."""
    exact = function(points) * 32768
    samples = _rounded(exact)
    middle = _rounded(function(points[:-1] + (points[1] - points[0]) / 2) * 32768)
    error = _rounded((exact[1:] + samples[:-1]) / 2) - middle
    samples[:-1] -= _rounded(error / 2)
    return np.clip(samples, -32768, 32767).astype(np.int16)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Halves away from zero, as TFLite fills its tables."""
    return np.copysign(np.floor(np.abs(values) + 0.5), values)
