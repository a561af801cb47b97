"""The plan of one Mamba-2 layer: time tile, and where each buffer of scratch and state lies."""

from __future__ import annotations

from scanlet.errors import GraphError, UnsupportedModelError
from scanlet.graph import Node
from scanlet.graph.operators import Mamba2
from scanlet.planning.layer import (
    FLOAT,
    MAX_D_CONV,
    MAX_TILE,
    Buffer,
    LayerPlan,
    place_buffers,
)
from scanlet.planning.memory import Lifetime, align

# Stages of a tile, for the buffers' lifetimes.
LOAD, PROJECTIONS, SCAN, GATE, OUT = range(5)


def plan_mamba2_layer(node: Node, *, index: int, name: str, tile: int) -> LayerPlan:
    """Plan a Mamba2 node with time tiles of `tile` steps (1 to MAX_TILE).

    Raises UnsupportedModelError where a shape is beyond what the kernels hold.
    """
    op = node.op
    if not isinstance(op, Mamba2):
        raise GraphError(f"{op} is not a Mamba-2 mixer")
    if not 1 <= tile <= MAX_TILE:
        raise GraphError(f"a time tile of {tile} steps; 1 to {MAX_TILE} are possible")
    if op.d_conv > MAX_D_CONV:
        raise UnsupportedModelError(
            f"d_conv {op.d_conv} is larger than {MAX_D_CONV}",
            where=node.source.module,
            hint="train with fewer taps",
        )
    _, length, features = node.inputs[0].shape
    d_out = op.named(node.inputs)["out_proj_weight"].shape[0]
    return LayerPlan(
        index=index,
        name=name,
        op=op,
        length=length,
        in_features=features,
        d_model=features,
        d_out=d_out,
        tile=tile,
        scratch=_scratch(op, features, d_out, tile),
        state=_state(op),
    )


def _scratch(op: Mamba2, features: int, d_out: int, tile: int) -> tuple[Buffer, ...]:
    column = tile * FLOAT
    rows = ("r", features, LOAD, GATE, "input tile (d_model, T), from which z is computed last")
    wanted = (
        rows,
        ("u", op.d_inner, PROJECTIONS, OUT, "x behind conv and SiLU, then y (d_inner, T)"),
        (
            "bc",
            2 * op.groups * op.d_state,
            PROJECTIONS,
            SCAN,
            "B and C by turns (groups, d_state, 2, T)",
        ),
        ("dt", op.heads, PROJECTIONS, SCAN, "step sizes (heads, T)"),
        ("out", d_out, OUT, OUT, "output tile (d_out, T)"),
    )
    return place_buffers(
        [
            (Lifetime(name, count * column, first, last), comment)
            for name, count, first, last, comment in wanted
        ]
    )


def _state(op: Mamba2) -> tuple[Buffer, ...]:
    h = Buffer("h", 0, op.d_inner * op.d_state * FLOAT, "recurrent state (d_inner, d_state)")
    if op.d_conv == 1:
        return (h,)
    taps = op.d_conv - 1
    x = Buffer(
        "x_history",
        align(h.nbytes),
        op.d_inner * taps * FLOAT,
        "conv history of x (d_inner, d_conv - 1)",
    )
    bc = Buffer(
        "bc_history",
        align(x.offset + x.nbytes),
        2 * op.groups * op.d_state * taps * FLOAT,
        "conv history of B and C by turns",
    )
    return (h, x, bc)
