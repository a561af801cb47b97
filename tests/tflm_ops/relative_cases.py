"""Random layers of Mamba's relatives: Mamba-2 and diagonal time-invariant models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scanlet.graph import Node, Tensor, constant
from scanlet.graph.operators import (
    DIAGONAL_WEIGHT_ORDER,
    MAMBA2_WEIGHT_ORDER,
    DiagonalSSM,
    LayerOperator,
    Mamba2,
)
from scanlet.planning.kinds import kind_of
from scanlet.planning.layer import LayerPlan
from scanlet.targets import find

OPTIONAL = ("in_proj_bias", "conv_bias", "norm_weight", "out_proj_bias")
Weights = dict[str, np.ndarray]


def mamba2_weights(
    rng: np.random.Generator,
    optional: frozenset[str] = frozenset(),
    *,
    d_model: int = 7,
    d_state: int = 3,
    heads: int = 4,
    head_dim: int = 3,
    groups: int = 2,
    d_conv: int = 4,
    d_out: int = 6,
    d_per_channel: bool = False,
) -> Weights:
    """float32 weights scaled as in training, with those that are named in `optional`."""
    d_inner = heads * head_dim
    conv = d_inner + 2 * groups * d_state
    rows = d_inner + conv + heads
    shapes: dict[str, tuple[int, ...]] = {
        "in_proj_weight": (rows, d_model),
        "in_proj_bias": (rows,),
        "conv_weight": (conv, d_conv),
        "conv_bias": (conv,),
        "dt_bias": (heads,),
        "A": (heads,),
        "D": (d_inner if d_per_channel else heads,),
        "norm_weight": (d_inner,),
        "out_proj_weight": (d_out, d_inner),
        "out_proj_bias": (d_out,),
    }
    weights = {}
    for name in MAMBA2_WEIGHT_ORDER:
        if name in OPTIONAL and name not in optional:
            continue
        scale = 1 / np.sqrt(shapes[name][-1]) if len(shapes[name]) == 2 else 0.5
        weights[name] = (rng.standard_normal(shapes[name]) * scale).astype(np.float32)
    weights["A"] = -np.exp(weights["A"])
    return weights


def mamba2_operator(weights: Mapping[str, np.ndarray], groups: int = 2, **options: Any) -> Mamba2:
    """The operator that `weights` fit."""
    d_inner = weights["out_proj_weight"].shape[1]
    channels, d_conv = weights["conv_weight"].shape
    return Mamba2(
        tuple(weights),
        d_inner,
        (channels - d_inner) // (2 * groups),
        len(weights["A"]),
        d_conv,
        groups=groups,
        **options,
    )


def diagonal_weights(
    rng: np.random.Generator, *, d_inner: int = 5, d_state: int = 3, complex: bool = True
) -> Weights:
    """A stable layer; with complex states, pairs of floats."""
    decay = rng.uniform(0.3, 0.99, (d_inner, d_state))
    a = decay * np.exp(1j * rng.uniform(0, np.pi, decay.shape)) if complex else decay
    c = rng.standard_normal(a.shape) + 1j * rng.standard_normal(a.shape)
    pairs = [np.stack([v.real, v.imag], axis=-1) if complex else v.real for v in (a - 1, c)]
    arrays = (*pairs, rng.standard_normal(d_inner))
    return {
        name: np.ascontiguousarray(data, np.float32)
        for name, data in zip(DIAGONAL_WEIGHT_ORDER, arrays, strict=True)
    }


def diagonal_operator(weights: Mapping[str, np.ndarray], **options: Any) -> DiagonalSSM:
    """The operator that `weights` fit."""
    shape = weights["A_less_1"].shape
    return DiagonalSSM(tuple(weights), shape[0], shape[1], complex=len(shape) == 3, **options)


def plan_of(
    op: LayerOperator,
    weights: Mapping[str, np.ndarray],
    *,
    tile: int = 4,
    length: int = 10,
    index: int = 0,
) -> LayerPlan:
    """The plan of a layer."""
    features = op.d_inner if isinstance(op, DiagonalSSM) else weights["in_proj_weight"].shape[1]
    inputs = [
        Tensor("x", (1, length, features)),
        *(constant(name, data) for name, data in weights.items()),
    ]
    y = Tensor("y", op.infer_shape(*(tensor.shape for tensor in inputs)))
    node = Node(op, inputs, [y])
    return kind_of(op).plan(node, find("generic"), index, f"layer{index}", tile)
