"""Random selective scans without a mixer."""

from __future__ import annotations

from typing import Any

import numpy as np

from scanlet.graph import Node, Tensor, constant
from scanlet.graph.operators import SCAN_WEIGHT_ORDER, SelectiveScan
from scanlet.planning.kinds import kind_of
from scanlet.planning.layer import LayerPlan
from scanlet.targets import find


def scan_weights(rng: np.random.Generator, d_inner: int, d_state: int) -> dict[str, np.ndarray]:
    """float32 weights, decays from slow to fast."""
    return {
        "A": -rng.uniform(0.05, 8, (d_inner, d_state)).astype(np.float32),
        "D": rng.standard_normal(d_inner, np.float32),
    }


def scan_streams(rng: np.random.Generator, steps: int, d_inner: int, d_state: int) -> np.ndarray:
    """u, delta, B and C side by side, (steps, features)."""
    x = rng.standard_normal((steps, 2 * d_inner + 2 * d_state), np.float32)
    x[:, d_inner : 2 * d_inner] = np.abs(x[:, d_inner : 2 * d_inner])
    return x


def scan_plan(
    weights: dict[str, np.ndarray], *, tile: int, length: int, core: str = "generic", **options: Any
) -> LayerPlan:
    """The plan of the layer that `weights` fit."""
    op = SelectiveScan(SCAN_WEIGHT_ORDER, *weights["A"].shape, **options)
    x = Tensor("x", (1, length, op.in_features))
    inputs = [x, *(constant(name, data) for name, data in weights.items())]
    y = Tensor("y", op.infer_shape(*(tensor.shape for tensor in inputs)))
    return kind_of(op).plan(Node(op, inputs, [y]), find(core), 0, "layer0", tile)
