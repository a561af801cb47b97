"""The plan of one SELECTIVE_SSM layer: shapes, time tile, and where each scratch buffer lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scanlet.errors import GraphError, UnsupportedModelError
from scanlet.graph import Node
from scanlet.graph.operators import LayerOperator, SelectiveSSM
from scanlet.planning.integer_layout import IntegerLayout
from scanlet.planning.memory import Lifetime, align, place

MAX_TILE = 8
MAX_D_CONV = 24
LANES = 4  # outputs that a product computes side by side; packed weights are padded to it
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Buffer:
    """A piece of scratch or state: `offset` and `nbytes` in bytes, 16-byte aligned offsets."""

    name: str
    offset: int
    nbytes: int
    comment: str = ""


@dataclass(frozen=True)
class LayerPlan:
    """Everything that the generated C of one layer is specialised by.

    `length` appears in no generated code: it is kept for reports and cost figures.
    """

    index: int
    name: str  # unique within the model, a C identifier
    op: LayerOperator
    length: int
    in_features: int
    d_model: int  # features of the residual stream inside the operator (after an input Linear)
    d_out: int
    tile: int
    scratch: tuple[Buffer, ...]  # needed during a call only
    state: tuple[Buffer, ...]  # h and the conv history: persistent in stream mode, else scratch
    layout: IntegerLayout | None = None  # of an IntegerSSM

    @property
    def scratch_bytes(self) -> int:
        return max((align(b.offset + b.nbytes) for b in self.scratch), default=0)

    @property
    def state_bytes(self) -> int:
        return max((align(b.offset + b.nbytes) for b in self.state), default=0)


def pad(count: int) -> int:
    """Round up to whole lanes."""
    return (count + LANES - 1) // LANES * LANES


def plan_layer(node: Node, *, index: int, name: str, tile: int) -> LayerPlan:
    """Plan a SELECTIVE_SSM node with time tiles of `tile` steps (1 to MAX_TILE).

    Raises UnsupportedModelError where a shape is beyond what the kernels hold.
    """
    op = node.op
    if not isinstance(op, SelectiveSSM):
        raise GraphError(f"{op} is not a SELECTIVE_SSM")
    if not 1 <= tile <= MAX_TILE:
        raise GraphError(f"a time tile of {tile} steps; 1 to {MAX_TILE} are possible")
    if op.d_conv > MAX_D_CONV:
        raise UnsupportedModelError(
            f"d_conv {op.d_conv} is larger than {MAX_D_CONV}", where=node.source.module
        )
    shapes = {weight: tensor.shape for weight, tensor in op.named(node.inputs).items()}
    _, length, in_features = node.inputs[0].shape
    d_model = shapes["input_weight"][0] if "input_weight" in shapes else in_features
    d_out = shapes["out_proj_weight"][0]
    return LayerPlan(
        index=index,
        name=name,
        op=op,
        length=length,
        in_features=in_features,
        d_model=d_model,
        d_out=d_out,
        tile=tile,
        scratch=_scratch(op, in_features, d_model, d_out, tile),
        state=_state(op, d_model),
    )


# Stages of a tile, for the buffers' lifetimes.
LOAD, INPUT_LINEAR, NORM, X_PROJECTIONS, SCAN, OUT = range(6)


def _scratch(
    op: SelectiveSSM, in_features: int, d_model: int, d_out: int, tile: int
) -> tuple[Buffer, ...]:
    """Place the tile's buffers; those that are not alive together share memory."""
    column = tile * FLOAT
    has_linear = "input_weight" in op.weights
    # in_proj's z half is computed next to the scan, so its input lives until then.
    last_use_of_r = OUT if op.residual else (NORM if op.norm else SCAN)
    wanted: list[tuple[Lifetime, str]] = []

    def want(name: str, nbytes: int, first: int, last: int, comment: str) -> None:
        wanted.append((Lifetime(name, nbytes, first, last), comment))

    if has_linear:
        want("in", in_features * column, LOAD, INPUT_LINEAR, "input tile (in_features, T)")
    want(
        "r", d_model * column, INPUT_LINEAR if has_linear else LOAD, last_use_of_r,
        "residual stream (d_model, T)",
    )  # fmt: skip
    if op.norm:
        want("n", d_model * column, NORM, SCAN, "normalized (d_model, T)")
    want("u", op.d_inner * column, X_PROJECTIONS, OUT, "conv and SiLU, then gated y (d_inner, T)")
    rows = op.dt_rank + 2 * op.d_state
    want("dbc", rows * column, X_PROJECTIONS, SCAN, "dt, then B and C by turns (rows, T)")
    if op.pooling in ("mean", "last"):  # a running mean is state
        # A mean keeps a sum and its rounding error.
        width, shape = (2 * FLOAT, "2") if op.pooling == "mean" else (FLOAT, "")
        want("pool", op.d_inner * width, LOAD, OUT, f"pooled gated y (d_inner, {shape})")
        if op.residual:
            want("pool_r", d_model * width, LOAD, OUT, f"pooled residual (d_model, {shape})")
    elif not op.pooling:
        want("out", d_out * column, OUT, OUT, "output tile (d_out, T)")
    return place_buffers(wanted)


def place_buffers(wanted: Sequence[tuple[Lifetime, str]]) -> tuple[Buffer, ...]:
    """Buffers for lifetimes in stages and their comments; those not alive together may overlap."""
    placement = place([lifetime for lifetime, _ in wanted])
    return tuple(
        Buffer(lifetime.name, offset, lifetime.nbytes, comment)
        for (lifetime, comment), offset in zip(wanted, placement.offsets, strict=True)
    )


def _state(op: SelectiveSSM, d_model: int) -> tuple[Buffer, ...]:
    wanted = [("h", op.d_inner * op.d_state * FLOAT, "recurrent state (d_inner, d_state)")]
    if op.d_conv > 1:
        history = op.d_inner * (op.d_conv - 1) * FLOAT
        wanted.append(("history", history, "conv history (d_inner, d_conv - 1)"))
    if op.pooling == "running":
        wanted.append(("pool", op.d_inner * 2 * FLOAT, "sums of gated y, and what they lost"))
        if op.residual:
            wanted.append(("pool_r", d_model * 2 * FLOAT, "sums of r, and what they lost"))
        wanted.append(SEEN)
    return in_a_row(wanted)


#: Of a running mean.
SEEN = ("seen", 4, "steps that the means count, up to the window, int32")


def in_a_row(wanted: Sequence[tuple[str, int, str]]) -> tuple[Buffer, ...]:
    """Buffers for (name, bytes, comment), one behind the other."""
    buffers, offset = [], 0
    for name, nbytes, comment in wanted:
        buffers.append(Buffer(name, offset, nbytes, comment))
        offset = align(offset + nbytes)
    return tuple(buffers)
