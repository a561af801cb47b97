"""Products with constant weights: fully connected, one-dimensional convolution, pooling windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Operator, Shape
from scanlet.graph.operators.elementwise import UNARY


@dataclass(frozen=True)
class Linear(Operator):
    """y = x @ weight.T + bias over the last axis; inputs x, weight (out, in)[, bias (out,)].

    `activation` is None or a unary kind that TFLite can fuse ("relu", "relu6").
    """

    activation: str | None = None

    def infer_shape(self, *shapes: Shape) -> Shape:
        x, weight = shapes[0], shapes[1]
        if x[-1] != weight[1]:
            raise GraphError(f"linear layer: input {x}, weight {weight}")
        return (*x[:-1], weight[0])

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        y = arrays[0] @ arrays[1].T
        if len(arrays) > 2:
            y = y + arrays[2]
        return UNARY[self.activation](y) if self.activation else y


@dataclass(frozen=True)
class Conv1d(Operator):
    """Cross-correlation along time in time-major layout: x (1, L, C), y (1, L_out, C_out).

    Inputs x, weight (C_out, kernel, C_in / groups)[, bias (C_out,)]. `padding` is (left, right)
    zeros; `groups` is 1, or C_in (depthwise). torch's (1, C, L) layout is a Transpose away.
    """

    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    groups: int = 1
    activation: str | None = None

    def infer_shape(self, *shapes: Shape) -> Shape:
        x, weight = shapes[0], shapes[1]
        if len(x) != 3 or x[2] != weight[2] * self.groups:
            raise GraphError(f"conv1d: input {x}, weight {weight}, groups {self.groups}")
        span = self.dilation * (weight[1] - 1) + 1
        length = (x[1] + sum(self.padding) - span) // self.stride + 1
        if length < 1:
            raise GraphError(f"conv1d: input length {x[1]} is shorter than the kernel span {span}")
        return (x[0], length, weight[0])

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        x, weight = arrays[0], arrays[1]
        _, length, out_channels = self.infer_shape(x.shape, weight.shape)
        padded = np.pad(x, ((0, 0), self.padding, (0, 0)))
        per_group_in, per_group_out = weight.shape[2], out_channels // self.groups
        y = np.zeros((x.shape[0], length, out_channels), x.dtype)
        for tap in range(weight.shape[1]):
            start = tap * self.dilation
            window = padded[:, start : start + self.stride * (length - 1) + 1 : self.stride]
            for group in range(self.groups):
                outs = slice(group * per_group_out, (group + 1) * per_group_out)
                ins = slice(group * per_group_in, (group + 1) * per_group_in)
                y[:, :, outs] += window[:, :, ins] @ weight[outs, tap].T
        if len(arrays) > 2:
            y = y + arrays[2]
        return UNARY[self.activation](y) if self.activation else y


@dataclass(frozen=True)
class Pool1d(Operator):
    """Sliding mean or maximum along time, x (1, L, C), no padding; `kind` "mean" or "max"."""

    kind: str
    kernel: int
    stride: int

    def infer_shape(self, *shapes: Shape) -> Shape:
        batch, length, channels = shapes[0]
        if length < self.kernel:
            raise GraphError(f"pooling: length {length} is shorter than the window {self.kernel}")
        return (batch, (length - self.kernel) // self.stride + 1, channels)

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        x = arrays[0]
        length = self.infer_shape(x.shape)[1]
        windows = [x[:, t * self.stride : t * self.stride + self.kernel] for t in range(length)]
        reduce = np.mean if self.kind == "mean" else np.max
        return np.stack([reduce(window, axis=1) for window in windows], axis=1)
