"""What the parameter block says of an integer mixer beyond the common part.

offset  type      field
52      uint8     bytes of an activation: 1 or 2
53      uint8     the state: 0 int16, 1 float32
54      uint16    how weights and activations lie in memory (IntegerLayout.code)
56      int32[5]  input_zero_point, output_zero_point, delta_fraction, norm_fraction,
                  residual_factor
76      uint64    norm_eps in units of the squared residual stream
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields

from scanlet.emit.parameters.more import MoreParameters
from scanlet.errors import ModelFileError
from scanlet.graph.operators import IntegerSSM
from scanlet.planning.layer import LayerPlan

FORMAT = struct.Struct("<BBH5iQ")
ACTIVATION_BYTES = {"int8": 1, "int16": 2}
STATES = ("int16", "float32")


@dataclass(frozen=True)
class IntegerParameters:
    """The fields; see `IntegerSSM`."""

    activation: str
    state: str
    layout: int
    input_zero_point: int
    output_zero_point: int
    delta_fraction: int
    norm_fraction: int
    residual_factor: int
    norm_eps: int


def _encode(layer: LayerPlan) -> bytes:
    op = layer.op
    assert isinstance(op, IntegerSSM)
    assert layer.layout is not None
    return FORMAT.pack(
        *(ACTIVATION_BYTES[op.activation], STATES.index(op.state), layer.layout.code),
        *(op.input_zero_point, op.output_zero_point, op.delta_fraction, op.norm_fraction),
        *(op.residual_factor, op.norm_eps),
    )


def _decode(data: bytes) -> IntegerParameters:
    nbytes, state, layout, *values, norm_eps = FORMAT.unpack(data)
    activations = {code: name for name, code in ACTIVATION_BYTES.items()}
    if nbytes not in activations or state >= len(STATES):
        raise ModelFileError("the parameter block is damaged")
    names = [field.name for field in fields(IntegerParameters)][3:8]
    return IntegerParameters(
        activation=activations[nbytes],
        state=STATES[state],
        layout=layout,
        norm_eps=norm_eps,
        **dict(zip(names, values, strict=True)),
    )


INTEGER_PARAMETERS = MoreParameters(FORMAT.size, _encode, _decode)
