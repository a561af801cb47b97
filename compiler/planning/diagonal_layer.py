"""The plan and the packing of one diagonal time-invariant layer: little to decide in both."""

from __future__ import annotations

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph import Node
from scanlet.graph.operators import DiagonalSSM
from scanlet.planning.layer import FLOAT, MAX_TILE, Buffer, LayerPlan


def plan_diagonal_layer(node: Node, *, index: int, name: str, tile: int) -> LayerPlan:
    """Plan a DiagonalSSM node with time tiles of `tile` steps (1 to MAX_TILE)."""
    op = node.op
    if not isinstance(op, DiagonalSSM):
        raise GraphError(f"{op} is not a diagonal state-space model")
    if not 1 <= tile <= MAX_TILE:
        raise GraphError(f"a time tile of {tile} steps; 1 to {MAX_TILE} are possible")
    pairs = ", 2" if op.complex else ""
    return LayerPlan(
        index=index,
        name=name,
        op=op,
        length=node.inputs[0].shape[1],
        in_features=op.d_inner,
        d_model=op.d_inner,
        d_out=op.d_inner,
        tile=tile,
        scratch=(Buffer("u", 0, op.d_inner * tile * FLOAT, "x, then y (d_inner, T)"),),
        state=(Buffer("h", 0, op.state_count * FLOAT, f"state (d_inner, d_state{pairs})"),),
    )


def diagonal_shapes(layer: LayerPlan) -> dict[str, tuple[int, ...]]:
    """The stored shape of each weight by name, in the order of the inputs."""
    op = layer.op
    assert isinstance(op, DiagonalSSM)
    states = (op.d_inner, op.d_state, 2)[: 2 + int(op.complex)]
    return {"A_less_1": states, "C": states, "D": (op.d_inner,)}


def diagonal_types(layer: LayerPlan) -> dict[str, str]:
    """The element type of each weight by name, in the order of the inputs."""
    return dict.fromkeys(layer.op.weights, "float32")


def pack_diagonal(layer: LayerPlan, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The stored arrays of each weight, in the order of the inputs: as they are."""
    return {name: np.ascontiguousarray(weights[name], np.float32) for name in layer.op.weights}
