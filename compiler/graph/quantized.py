"""What a node on quantized tensors means: dequantize, evaluate, quantize."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scanlet.graph.operators.base import Carried
from scanlet.graph.operators.integer_ssm import IntegerSSM
from scanlet.graph.operators.integer_stream_pool import IntegerStreamPool
from scanlet.graph.operators.quantize import Dequantize, Quantize, to_stored
from scanlet.graph.operators.streaming import StreamHistory
from scanlet.graph.tensor import Quantization

if TYPE_CHECKING:
    from scanlet.graph.graph import Node

#: They compute on stored integers themselves.
INTEGER_OPERATORS = (IntegerSSM, IntegerStreamPool)


def evaluate_node(
    node: Node, arrays: Sequence[np.ndarray], dtype: str, carried: Carried | None = None
) -> np.ndarray:
    """The output of `node` for its input arrays: stored integers where tensors are quantized.

    Real values are computed in float64 where an input or the output is quantized, else in
    `dtype`. IntegerSSM computes on integers itself. `carried` is what the node keeps of the stream
    so far, if that is not its start.
    """
    op, output = node.op, node.output
    memory = {} if carried is None else carried
    if isinstance(op, INTEGER_OPERATORS) or (
        isinstance(op, StreamHistory) and op.activation != "float32"
    ):
        return op.advance(memory, *arrays)
    if isinstance(op, Dequantize):
        return op.evaluate(*arrays).astype(dtype)
    reals = [
        dequantized(array, tensor.quantization) if tensor.quantization else array
        for array, tensor in zip(arrays, node.inputs, strict=True)
    ]
    result = op.advance(memory, *reals)
    if output.quantization is None or isinstance(op, Quantize):
        return result
    return quantized(result, output.quantization, output.dtype)


def dequantized(stored: np.ndarray, quantization: Quantization) -> np.ndarray:
    """The real values, in float64, of stored integers."""
    scale, zero_point = _parameters(quantization, stored.ndim)
    return (stored.astype(np.float64) - zero_point) * scale


def quantized(real: np.ndarray, quantization: Quantization, dtype: str) -> np.ndarray:
    """Stored integers: to nearest, halves away from zero, saturated."""
    scale, zero_point = _parameters(quantization, np.ndim(real))
    return to_stored(real, scale, zero_point, dtype)


def _parameters(quantization: Quantization, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Scales and zero points, shaped to broadcast with a tensor of `rank` axes."""
    scales = np.asarray(quantization.scales, np.float64)
    zero_points = np.asarray(quantization.zero_points, np.float64)
    if quantization.axis is None:
        return scales.reshape(()), zero_points.reshape(())
    shape = [1] * rank
    shape[quantization.axis] = -1
    return scales.reshape(shape), zero_points.reshape(shape)
