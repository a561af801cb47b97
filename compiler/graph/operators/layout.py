"""Operators that move data without computing: reshape, transpose, slice, concatenate, flip, ..."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Operator, Shape


@dataclass(frozen=True)
class Reshape(Operator):
    """Same elements, another static shape."""

    shape: Shape

    def infer_shape(self, *shapes: Shape) -> Shape:
        if int(np.prod(shapes[0])) != int(np.prod(self.shape)):
            raise GraphError(f"cannot reshape {shapes[0]} to {self.shape}")
        return self.shape

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return arrays[0].reshape(self.shape)


@dataclass(frozen=True)
class Transpose(Operator):
    """Axes in the order `perm`."""

    perm: tuple[int, ...]

    def infer_shape(self, *shapes: Shape) -> Shape:
        if sorted(self.perm) != list(range(len(shapes[0]))):
            raise GraphError(f"permutation {self.perm} does not fit shape {shapes[0]}")
        return tuple(shapes[0][axis] for axis in self.perm)

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return arrays[0].transpose(self.perm)


@dataclass(frozen=True)
class StridedSlice(Operator):
    """x[begin:end:stride] on every axis; begin and end are resolved, strides positive."""

    begin: tuple[int, ...]
    end: tuple[int, ...]
    strides: tuple[int, ...]

    def infer_shape(self, *shapes: Shape) -> Shape:
        return tuple(
            len(range(*slice(b, e, s).indices(n)))
            for b, e, s, n in zip(self.begin, self.end, self.strides, shapes[0], strict=True)
        )

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        bounds = zip(self.begin, self.end, self.strides, strict=True)
        return arrays[0][tuple(slice(b, e, s) for b, e, s in bounds)]


@dataclass(frozen=True)
class Concatenate(Operator):
    """Join along `axis` (non-negative)."""

    axis: int

    def infer_shape(self, *shapes: Shape) -> Shape:
        joined = list(shapes[0])
        joined[self.axis] = sum(shape[self.axis] for shape in shapes)
        return tuple(joined)

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return np.concatenate(arrays, axis=self.axis)


@dataclass(frozen=True)
class Flip(Operator):
    """Reverse one axis (non-negative)."""

    axis: int

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return np.flip(arrays[0], axis=self.axis)


@dataclass(frozen=True)
class Pad(Operator):
    """Constant zeros around; `padding` is one (before, after) pair an axis."""

    padding: tuple[tuple[int, int], ...]

    def infer_shape(self, *shapes: Shape) -> Shape:
        return tuple(n + b + a for n, (b, a) in zip(shapes[0], self.padding, strict=True))

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return np.pad(arrays[0], self.padding)


@dataclass(frozen=True)
class Gather(Operator):
    """Select along `axis` of the first input with integer indices (second input, rank 1 or 2).

    With a constant table and `axis` 0 it is an embedding.
    """

    axis: int

    def infer_shape(self, *shapes: Shape) -> Shape:
        table, indices = shapes
        return (*table[: self.axis], *indices, *table[self.axis + 1 :])

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return np.take(arrays[0], arrays[1].astype(np.int64), axis=self.axis)
