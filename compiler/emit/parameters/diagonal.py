"""What the parameter block says of a diagonal state-space model beyond the common part.

offset  type      field
52      uint32    1: states, A and C are complex
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from scanlet.emit.parameters.more import MoreParameters
from scanlet.errors import ModelFileError
from scanlet.graph.operators import DiagonalSSM
from scanlet.planning.layer import LayerPlan

FORMAT = struct.Struct("<I")


@dataclass(frozen=True)
class DiagonalParameters:
    """The fields; see `DiagonalSSM`."""

    complex: bool


def _encode(layer: LayerPlan) -> bytes:
    assert isinstance(layer.op, DiagonalSSM)
    return FORMAT.pack(int(layer.op.complex))


def _decode(data: bytes) -> DiagonalParameters:
    (is_complex,) = FORMAT.unpack(data)
    if is_complex > 1:
        raise ModelFileError("the parameter block is damaged")
    return DiagonalParameters(bool(is_complex))


DIAGONAL_PARAMETERS = MoreParameters(FORMAT.size, _encode, _decode)
