"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Operator, Shape

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "sum": np.sum,
}


@dataclass(frozen=True)
class Reduce(Operator):
    """`kind` of REDUCTIONS over `axes` (non-negative, sorted)."""

    kind: str
    axes: tuple[int, ...]
    keepdims: bool = False

    def __post_init__(self) -> None:
        if self.kind not in REDUCTIONS:
            raise GraphError(f"unknown reduction {self.kind!r}")

    def infer_shape(self, *shapes: Shape) -> Shape:
        kept = [1 if axis in self.axes else n for axis, n in enumerate(shapes[0])]
        if self.keepdims:
            return tuple(kept)
        return tuple(n for axis, n in enumerate(kept) if axis not in self.axes)

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        return np.asarray(
            REDUCTIONS[self.kind](arrays[0], axis=self.axes, keepdims=self.keepdims),
            dtype=arrays[0].dtype,
        )
