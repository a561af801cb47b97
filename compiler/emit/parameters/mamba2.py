"""What the parameter block says of a Mamba-2 mixer beyond the common part.

offset  type      field
52      int32[3]  heads, groups, norm_groups
64      uint32    options: bit 0 norm_before_gate
68      float32   dt_min
72      float32   dt_max, infinite where there is none
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from scanlet.emit.parameters.more import MoreParameters
from scanlet.errors import ModelFileError
from scanlet.graph.operators import Mamba2
from scanlet.planning.layer import LayerPlan

FORMAT = struct.Struct("<3iI2f")


@dataclass(frozen=True)
class Mamba2Parameters:
    """The fields; see `Mamba2`."""

    heads: int
    groups: int
    norm_groups: int
    norm_before_gate: bool
    dt_min: float
    dt_max: float | None


def _encode(layer: LayerPlan) -> bytes:
    op = layer.op
    assert isinstance(op, Mamba2)
    most = math.inf if op.dt_max is None else op.dt_max
    sizes = (op.heads, op.groups, op.norm_groups)
    return FORMAT.pack(*sizes, int(op.norm_before_gate), op.dt_min, most)


def _decode(data: bytes) -> Mamba2Parameters:
    heads, groups, norm_groups, options, least, most = FORMAT.unpack(data)
    if options >> 1 or min(heads, groups) < 1 or norm_groups < 0 or not 0 <= least <= most:
        raise ModelFileError("the parameter block is damaged")
    limit = None if math.isinf(most) else most
    return Mamba2Parameters(heads, groups, norm_groups, bool(options), least, limit)


MAMBA2_PARAMETERS = MoreParameters(FORMAT.size, _encode, _decode)
