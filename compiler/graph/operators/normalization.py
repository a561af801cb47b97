"""Normalization over the last axis, batch normalization at inference, and softmax."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanlet.graph.operators.base import Operator, Shape


def layer_norm(x: np.ndarray, eps: float) -> np.ndarray:
    """(x - mean) / sqrt(var + eps) over the last axis, biased variance (Ba et al. 2016)."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + x.dtype.type(eps))


def rms_norm(x: np.ndarray, eps: float) -> np.ndarray:
    """x / sqrt(mean(x^2) + eps) over the last axis (Zhang and Sennrich 2019)."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + x.dtype.type(eps))


@dataclass(frozen=True)
class Norm(Operator):
    """`kind` "layer" or "rms" over the last axis; inputs x[, weight[, bias]], both (features,)."""

    kind: str
    eps: float

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        y = (layer_norm if self.kind == "layer" else rms_norm)(arrays[0], self.eps)
        if len(arrays) > 1:
            y = y * arrays[1]
        if len(arrays) > 2:
            y = y + arrays[2]
        return y


@dataclass(frozen=True)
class ChannelAffine(Operator):
    """x * scale + offset along `axis`; inputs x, scale, offset, both (channels,).

    What batch normalization is at inference, and what input standardization is.
    """

    axis: int

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        x, scale, offset = arrays
        shape = [1] * x.ndim
        shape[self.axis] = -1
        return x * scale.reshape(shape) + offset.reshape(shape)


@dataclass(frozen=True)
class Softmax(Operator):
    """exp(x) / sum(exp(x)) over the last axis."""

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        e = np.exp(arrays[0] - arrays[0].max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
