"""What the parameter block says of a stream's operators beyond the common part.

offset  type      field
52      uint16    bytes of an element: 1, 2 or 4
54      int16     zero_point of the input
56      int32     StreamHistory: steps; running mean: factor, 0 for float32
60      int32     zero_point of the output
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from scanlet.emit.parameters.more import MoreParameters
from scanlet.errors import ModelFileError
from scanlet.graph.operators import IntegerStreamPool, StreamHistory
from scanlet.planning.layer import LayerPlan

FORMAT = struct.Struct("<Hhii")
ELEMENT_BYTES = {"int8": 1, "int16": 2, "float32": 4}


@dataclass(frozen=True)
class StreamParameters:
    """The fields."""

    activation: str
    input_zero_point: int
    value: int
    output_zero_point: int


def _encode(layer: LayerPlan) -> bytes:
    op = layer.op
    if isinstance(op, StreamHistory):
        zero = op.zero_point
        return FORMAT.pack(ELEMENT_BYTES[op.activation], zero, op.steps, zero)
    if isinstance(op, IntegerStreamPool):
        return FORMAT.pack(
            *(ELEMENT_BYTES[op.activation], op.input_zero_point, op.factor, op.output_zero_point)
        )
    return FORMAT.pack(ELEMENT_BYTES["float32"], 0, 0, 0)


def _decode(data: bytes) -> StreamParameters:
    nbytes, *values = FORMAT.unpack(data)
    activations = {code: name for name, code in ELEMENT_BYTES.items()}
    if nbytes not in activations:
        raise ModelFileError("the parameter block is damaged")
    return StreamParameters(activations[nbytes], *values)


STREAM_PARAMETERS = MoreParameters(FORMAT.size, _encode, _decode)
