"""The kinds of layer: the code of each in the parameter block, what it adds there, its template.

    1  Mamba-1 mixer in float32
    2  elementwise GELU, which is no layer (see `custom_options.encode_gelu`)
    3  Mamba-1 mixer in integers
    4  Mamba-2 mixer in float32
    5  diagonal time-invariant state-space model in float32
    6  selective scan without a mixer in float32

A code is never given to another kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scanlet.emit.parameters.diagonal import DIAGONAL_PARAMETERS
from scanlet.emit.parameters.inner_norm import INNER_NORM_PARAMETERS
from scanlet.emit.parameters.integer import INTEGER_PARAMETERS
from scanlet.emit.parameters.mamba2 import MAMBA2_PARAMETERS
from scanlet.emit.parameters.more import NOTHING, MoreParameters
from scanlet.emit.parameters.stream import STREAM_PARAMETERS
from scanlet.graph.operators import (
    DIAGONAL_WEIGHT_ORDER,
    INTEGER_WEIGHT_ORDER,
    MAMBA2_WEIGHT_ORDER,
    SCAN_WEIGHT_ORDER,
    WEIGHT_ORDER,
    DiagonalSSM,
    IntegerSSM,
    IntegerStreamPool,
    LayerOperator,
    Mamba2,
    SelectiveScan,
    SelectiveSSM,
    StreamHistory,
    StreamPool,
)

KIND_MAMBA1, KIND_GELU, KIND_INTEGER = 1, 2, 3
KIND_MAMBA2, KIND_DIAGONAL, KIND_SCAN = 4, 5, 6
KIND_STREAM_POOL, KIND_INTEGER_STREAM_POOL, KIND_STREAM_HISTORY = 16, 17, 18


@dataclass(frozen=True)
class EmittedKind:
    """`order`: names of all weights a kind can have, in the order of a node's inputs.

    `template` renders the C of one layer; `activation(op)` is the type of its input and output;
    `max_length(op)` the longest sequence it takes, 0 for any; `ahead(op)` how many steps its output
    has more than its input.
    """

    code: int
    order: tuple[str, ...]
    template: str
    more: MoreParameters = NOTHING
    activation: Callable[[LayerOperator], str] = lambda _: "float32"
    max_length: Callable[[LayerOperator], int] = lambda _: 0
    ahead: Callable[[LayerOperator], int] = lambda _: 0


def _integer_activation(op: LayerOperator) -> str:
    assert isinstance(op, IntegerSSM | IntegerStreamPool | StreamHistory)
    return op.activation


def _integer_length(op: LayerOperator) -> int:
    assert isinstance(op, IntegerSSM)
    return 65535 if op.pooling == "mean" else 0


def _history(op: LayerOperator) -> int:
    assert isinstance(op, StreamHistory)
    return op.steps


STREAM = "operator/stream.c.j2"

KINDS: dict[type[LayerOperator], EmittedKind] = {
    SelectiveSSM: EmittedKind(
        KIND_MAMBA1, WEIGHT_ORDER, "operator/float_ssm.c.j2", INNER_NORM_PARAMETERS
    ),
    IntegerSSM: EmittedKind(
        KIND_INTEGER,
        INTEGER_WEIGHT_ORDER,
        "operator/integer_ssm.c.j2",
        INTEGER_PARAMETERS,
        _integer_activation,
        _integer_length,
    ),
    Mamba2: EmittedKind(
        KIND_MAMBA2, MAMBA2_WEIGHT_ORDER, "operator/mamba2.c.j2", MAMBA2_PARAMETERS
    ),
    DiagonalSSM: EmittedKind(
        KIND_DIAGONAL, DIAGONAL_WEIGHT_ORDER, "operator/diagonal_ssm.c.j2", DIAGONAL_PARAMETERS
    ),
    SelectiveScan: EmittedKind(KIND_SCAN, SCAN_WEIGHT_ORDER, "operator/selective_scan.c.j2"),
    StreamPool: EmittedKind(KIND_STREAM_POOL, (), STREAM, STREAM_PARAMETERS),
    IntegerStreamPool: EmittedKind(
        KIND_INTEGER_STREAM_POOL, (), STREAM, STREAM_PARAMETERS, _integer_activation
    ),
    StreamHistory: EmittedKind(
        KIND_STREAM_HISTORY, (), STREAM, STREAM_PARAMETERS, _integer_activation, ahead=_history
    ),
}
BY_CODE = {kind.code: kind for kind in KINDS.values()}
