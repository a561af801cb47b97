"""What every operator of the graph can do: infer its output shape and state its NumPy meaning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """Base class. Operators are immutable values; tensors live on the node.

    Every operator has exactly one output. `evaluate` computes in the dtype of its inputs, so the
    same definition serves float64 references and float32 comparisons.
    """

    def infer_shape(self, *shapes: Shape) -> Shape:
        raise NotImplementedError(type(self).__name__)

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        raise NotImplementedError(type(self).__name__)
