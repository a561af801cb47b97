"""Statistics of the raw input, for a reference that takes raw values as the compiled model does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scanlet.graph import Graph
from scanlet.passes.fold_normalization import feature_axis


def along_features(value: Any, graph: Graph) -> np.ndarray:
    """`value` (a scalar or a vector of the features) shaped to broadcast with the first input."""
    array = np.asarray(value, dtype=np.float64)
    if array.size == 1:
        return array.reshape(())
    shape = [1] * len(graph.inputs[0].shape)
    shape[feature_axis(graph, array.size)] = array.size
    return array.reshape(shape)


def standardized(
    reference: Callable[..., list[np.ndarray]], mean: np.ndarray, std: np.ndarray
) -> Callable[..., list[np.ndarray]]:
    """The reference of a model that takes raw values: standardize, then the original model."""

    def run(first: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
        standardized = ((first.astype(np.float64) - mean) / std).astype(np.float32)
        return reference(standardized, *others)

    return run
