"""The plan of one integer SELECTIVE_SSM: buffers of int16 in the layout of the kernel set.

With a float32 state, that and B and C are floats.
"""

from __future__ import annotations

from scanlet.errors import GraphError, UnsupportedModelError
from scanlet.graph import Node
from scanlet.graph.operators import IntegerSSM
from scanlet.planning.integer_layout import IntegerLayout
from scanlet.planning.layer import (
    FLOAT,
    INPUT_LINEAR,
    LOAD,
    MAX_D_CONV,
    MAX_TILE,
    NORM,
    OUT,
    SCAN,
    SEEN,
    X_PROJECTIONS,
    Buffer,
    LayerPlan,
    in_a_row,
    place_buffers,
)
from scanlet.planning.memory import Lifetime

SHORT, WORD = 2, 4  # bytes
#: Sums over time are int32.
MAX_MEAN_LENGTH = (1 << 16) - 1
#: For which the norm's sums of squares fit 64 bits.
MAX_NORM_WIDTH = 1024
MAX_NORM_EPS = 1 << 62
#: Up to which the limit of C leaves it bits worth having.
MAX_D_STATE = 1024


def plan_integer_layer(
    node: Node, *, index: int, name: str, tile: int, layout: IntegerLayout
) -> LayerPlan:
    """Plan an IntegerSSM node with time tiles of `tile` steps (1 to MAX_TILE).

    Raises UnsupportedModelError where a shape is beyond what the kernels hold.
    """
    op = node.op
    if not isinstance(op, IntegerSSM):
        raise GraphError(f"{op} is not an integer SELECTIVE_SSM")
    if not 1 <= tile <= MAX_TILE:
        raise GraphError(f"a time tile of {tile} steps; 1 to {MAX_TILE} are possible")
    shapes = {weight: tensor.shape for weight, tensor in op.named(node.inputs).items()}
    _, length, in_features = node.inputs[0].shape
    d_model = shapes["input_weight"][0] if "input_weight" in shapes else in_features
    for what, value, limit in (
        ("d_conv", op.d_conv, MAX_D_CONV),
        ("d_state", op.d_state, MAX_D_STATE),
        ("a mean over time: steps", length if op.pooling == "mean" else 1, MAX_MEAN_LENGTH),
        ("features under a norm", d_model if op.norm else 1, MAX_NORM_WIDTH),
        ("norm_eps in units of the residual stream", op.norm_eps, MAX_NORM_EPS - 1),
    ):
        if value > limit:
            raise UnsupportedModelError(
                f"{what}: {value}, integers hold {limit}",
                where=node.source.module,
                hint="keep the module in float with float_modules=",
            )
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
        scratch=_scratch(op, in_features, d_model, tile, layout),
        state=_state(op, d_model, layout),
        layout=layout,
    )


def _scratch(
    op: IntegerSSM, in_features: int, d_model: int, tile: int, layout: IntegerLayout
) -> tuple[Buffer, ...]:
    """Place the tile's buffers; those that are not alive together share memory."""
    wanted: list[tuple[Lifetime, str]] = []

    def want(name: str, nbytes: int, first: int, last: int, comment: str) -> None:
        wanted.append((Lifetime(name, nbytes, first, last), comment))

    def vectors(name: str, count: int, first: int, last: int, comment: str, rows: str) -> None:
        nbytes = layout.depth(count) * tile * SHORT
        shape = f"(T, {rows})" if layout.rows else f"({rows}, T)"
        shape = f"({rows} / 8, T, 8)" if layout.octets else shape
        want(name, nbytes, first, last, f"{comment} {shape}")

    has_linear = "input_weight" in op.weights
    first_of_r = INPUT_LINEAR if has_linear else LOAD
    # in_proj's z half is computed next to the scan, so its input lives until then.
    last_of_r = OUT if op.residual else (NORM if op.norm else SCAN)
    if has_linear:
        vectors("in", in_features, LOAD, INPUT_LINEAR, "input tile", "in_features")
    vectors("r", d_model, first_of_r, last_of_r, "residual stream", "d_model")
    if op.norm:
        vectors("n", d_model, NORM, SCAN, "normalized", "d_model")
    vectors("u", op.d_inner, X_PROJECTIONS, OUT, "conv and SiLU, then y, then g", "d_inner")
    vectors("dt", op.dt_rank, X_PROJECTIONS, SCAN, "dt", "dt_rank")
    if op.state == "float32":
        nbytes = 2 * op.d_state * tile * FLOAT
        want("bc", nbytes, X_PROJECTIONS, SCAN, "B and C by turns (2 d_state, T), float")
    else:
        order = "all of B, then C" if layout.separate else "B and C by turns"
        nbytes = 2 * layout.states(op.d_state) * tile * SHORT
        want("bc", nbytes, X_PROJECTIONS, SCAN, f"{order} (T, 2 d_state)")
    if op.pooling == "mean":
        want("pool", op.d_inner * WORD, LOAD, OUT, "sums of g (d_inner), int32")
        if op.residual:
            want("pool_r", d_model * WORD, LOAD, OUT, "sums of r (d_model), int32")
    return place_buffers(wanted)


def _state(op: IntegerSSM, d_model: int, layout: IntegerLayout) -> tuple[Buffer, ...]:
    floats = op.state == "float32"
    nbytes = op.d_inner * (FLOAT * op.d_state if floats else SHORT * layout.kept_states(op.d_state))
    comment = "recurrent state (d_inner, d_state)" + (", float" if floats else "")
    wanted = [("h", nbytes, comment)]
    if op.d_conv > 1:
        shape = (
            "(d_conv - 1, d_inner)"
            if layout.history_strides(1, 1)[0] == 1
            else "(d_inner, d_conv - 1)"
        )
        nbytes = layout.depth(op.d_inner) * (op.d_conv - 1) * SHORT
        wanted.append(("history", nbytes, f"conv history {shape}"))
    if op.mode == "stream" and not floats:
        wanted.append(("past", WORD, "steps since the start, modulo 256, int32"))
    if op.pooling == "running":
        wanted.append(("pool", op.d_inner * WORD, "sums of g (d_inner), int32"))
        if op.residual:
            wanted.append(("pool_r", d_model * WORD, "sums of r (d_model), int32"))
        wanted.append(SEEN)
    return in_a_row(wanted)
