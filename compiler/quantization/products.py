"""Linear and Conv1d in integers: int8 weights, one scale an output channel, and the bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanlet.graph import Node, Quantization
from scanlet.graph.operators import Conv1d
from scanlet.quantization.parameters import float32, per_channel
from scanlet.quantization.rounding import bias_correction, quantize_rows, row_scales

Moments = tuple[np.ndarray, np.ndarray]  # E[x x^T], E[x] of the input (of its windows)

#: The bias takes at most this much of an int32 sum; products of int8 leave that much room up to
#: 32,768 taps.
MAX_BIAS = {"int8": 2.0**30, "int16": 2.0**46}
BIAS_DTYPE = {"int8": "int32", "int16": "int64"}


@dataclass(frozen=True)
class QuantizedProduct:
    """Stored weight (as the float one is shaped) and bias, each with its quantization.

    `bias` is None where there is none and rounding needs no correction.
    """

    weight: np.ndarray
    weight_quantization: Quantization
    bias: np.ndarray | None
    bias_quantization: Quantization


def quantize_product(
    node: Node, input_scale: float, dtype: str, moments: Moments | None
) -> QuantizedProduct:
    """Quantize the constants of a Linear or Conv1d node whose input has the scale `input_scale`.

    With `moments` rounding is error-compensated and the bias takes up the mean error that is left.
    """
    weight = np.asarray(node.inputs[1].data, np.float64)
    rows = weight.reshape(len(weight), -1)
    bias = np.zeros(len(rows))
    if len(node.inputs) > 2:
        bias = np.asarray(node.inputs[2].data, np.float64)
    second, first = moments or (None, None)
    if isinstance(node.op, Conv1d) and node.op.groups > 1:
        second = first = None  # the moments are those of whole windows
    scales = np.maximum(row_scales(rows, second), np.abs(bias) / (input_scale * MAX_BIAS[dtype]))
    scales = np.array([float32(scale) for scale in np.maximum(scales, 1e-30)])
    quantized = quantize_rows(rows, scales, second)
    corrected = bias
    if first is not None:
        corrected = bias + bias_correction(rows, quantized * scales[:, np.newaxis], first)
    steps = np.array([float32(input_scale * scale) for scale in scales])
    stored = np.round(corrected / steps).astype(BIAS_DTYPE[dtype])
    keeps_bias = len(node.inputs) > 2 or bool(stored.any())
    return QuantizedProduct(
        quantized.astype(np.int8).reshape(weight.shape),
        per_channel(scales),
        stored if keeps_bias else None,
        per_channel(steps),
    )
