"""The plan and the packing of one selective scan without a mixer."""

from __future__ import annotations

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph import Node
from scanlet.graph.operators import SelectiveScan
from scanlet.planning.layer import FLOAT, MAX_TILE, Buffer, LayerPlan, place_buffers
from scanlet.planning.memory import Lifetime
from scanlet.planning.scan_packing import octaves, skips


def plan_scan_layer(node: Node, *, index: int, name: str, tile: int) -> LayerPlan:
    """Plan a SelectiveScan node with time tiles of `tile` steps (1 to MAX_TILE)."""
    op = node.op
    if not isinstance(op, SelectiveScan):
        raise GraphError(f"{op} is not a selective scan")
    if not 1 <= tile <= MAX_TILE:
        raise GraphError(f"a time tile of {tile} steps; 1 to {MAX_TILE} are possible")
    column = tile * FLOAT
    wanted = (
        ("u", op.d_inner, "u, then y (d_inner, T)"),
        ("delta", op.d_inner, "step sizes (d_inner, T)"),
        ("bc", 2 * op.d_state, "B and C by turns (d_state, 2, T)"),
    )
    return LayerPlan(
        index=index,
        name=name,
        op=op,
        length=node.inputs[0].shape[1],
        in_features=op.in_features,
        d_model=op.in_features,
        d_out=op.d_inner,
        tile=tile,
        scratch=place_buffers(
            [(Lifetime(name, count * column, 0, 0), comment) for name, count, comment in wanted]
        ),
        state=(Buffer("h", 0, op.state_count * FLOAT, "state (d_inner, d_state)"),),
    )


def scan_shapes(layer: LayerPlan) -> dict[str, tuple[int, ...]]:
    """The stored shape of each weight by name, in the order of the inputs."""
    op = layer.op
    assert isinstance(op, SelectiveScan)
    return {"A": (op.d_inner, op.d_state), "D": (op.d_inner, 2)}


def scan_types(layer: LayerPlan) -> dict[str, str]:
    """The element type of each weight by name, in the order of the inputs."""
    return dict.fromkeys(layer.op.weights, "float32")


def pack_scan(layer: LayerPlan, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:  # noqa: ARG001
    """The stored arrays of each weight, in the order of the inputs."""
    stored = {"A": octaves(weights["A"]), "D": skips(weights["A"], weights["D"])}
    return {name: np.ascontiguousarray(data, np.float32) for name, data in stored.items()}
