"""What the parameter block says of a float mixer beyond the common part.

offset  type      field
52      uint32    inner_norm: norms on dt, B and C; 0 none, 1 rms
56      float32   inner_norm_eps
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from scanlet.emit.parameters.more import MoreParameters
from scanlet.errors import ModelFileError
from scanlet.graph.operators import SelectiveSSM
from scanlet.planning.layer import LayerPlan

FORMAT = struct.Struct("<If")
INNER_NORMS = (None, "rms")


@dataclass(frozen=True)
class InnerNormParameters:
    """The fields; see `SelectiveSSM`."""

    inner_norm: str | None
    inner_norm_eps: float


def _encode(layer: LayerPlan) -> bytes:
    op = layer.op
    assert isinstance(op, SelectiveSSM)
    return FORMAT.pack(INNER_NORMS.index(op.inner_norm), op.inner_norm_eps)


def _decode(data: bytes) -> InnerNormParameters:
    code, eps = FORMAT.unpack(data)
    if code >= len(INNER_NORMS) or not math.isfinite(eps):
        raise ModelFileError("the parameter block is damaged")
    return InnerNormParameters(INNER_NORMS[code], eps)


INNER_NORM_PARAMETERS = MoreParameters(FORMAT.size, _encode, _decode)
