"""The parameter block in an operator's custom_options, which `prepare` checks.

Little-endian, 52 bytes:

    offset  type      field
    0       char[4]   magic "SSM1"
    4       uint16    version of this block and of the weights' packing (LAYOUT_VERSION)
    6       uint16    kind: 1 Mamba-1 mixer, 2 GELU
    8       uint32    signature: CRC-32 of the block with this field zero
    12      int32[7]  in_features, d_model, d_inner, d_state, dt_rank, d_conv, d_out
    40      uint32    options: bit 0 reverse, 1 residual, 2 stream, 3-4 norm (1 layer, 2 rms),
                      5-6 pooling (1 mean, 2 last)
    44      uint32    weights: bit i is WEIGHT_ORDER[i]
    48      float32   norm_eps

The time tile and the length are no part of it: they change neither weights nor results.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, fields

from scanlet.errors import ModelFileError
from scanlet.graph.operators import WEIGHT_ORDER
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import LAYOUT_VERSION

MAGIC = b"SSM1"
FORMAT = struct.Struct("<4sHHI7iIIf")
KIND_MAMBA1, KIND_GELU = 1, 2
NORMS = (None, "layer", "rms")
POOLINGS = (None, "mean", "last")


@dataclass(frozen=True)
class ParameterBlock:
    """The block's fields; shapes and options are zero or None for GELU."""

    kind: int
    signature: int
    in_features: int = 0
    d_model: int = 0
    d_inner: int = 0
    d_state: int = 0
    dt_rank: int = 0
    d_conv: int = 0
    d_out: int = 0
    reverse: bool = False
    residual: bool = False
    stream: bool = False
    norm: str | None = None
    pooling: str | None = None
    weights: tuple[str, ...] = ()
    norm_eps: float = 0.0


def encode(layer: LayerPlan) -> bytes:
    """The block of a mixer layer."""
    op = layer.op
    options = (
        int(op.reverse)
        | int(op.residual) << 1
        | int(op.mode == "stream") << 2
        | NORMS.index(op.norm) << 3
        | POOLINGS.index(op.pooling) << 5
    )
    mask = sum(1 << WEIGHT_ORDER.index(name) for name in op.weights)
    shapes = (layer.in_features, layer.d_model, op.d_inner, op.d_state, op.dt_rank, op.d_conv)
    return _sign(KIND_MAMBA1, (*shapes, layer.d_out), options, mask, op.norm_eps)


def encode_gelu() -> bytes:
    """The block of an elementwise GELU (with the error function)."""
    return _sign(KIND_GELU, (0,) * 7, 0, 0, 0.0)


def decode(data: bytes) -> ParameterBlock:
    """The inverse of `encode` and `encode_gelu`. Raises ModelFileError for anything else."""
    if len(data) != FORMAT.size:
        raise ModelFileError(f"a parameter block of {len(data)} bytes, {FORMAT.size} expected")
    magic, version, kind, signature, *shapes, options, mask, eps = FORMAT.unpack(data)
    if magic != MAGIC or kind not in (KIND_MAMBA1, KIND_GELU):
        raise ModelFileError("the custom options are no SELECTIVE_SSM parameter block")
    if version != LAYOUT_VERSION:
        raise ModelFileError(
            f"parameter block version {version}, this scanlet reads {LAYOUT_VERSION}",
            hint="compile the model again",
        )
    norm, pooling = options >> 3 & 3, options >> 5 & 3
    damaged = signature != _signature(data) or options >> 7 or mask >> len(WEIGHT_ORDER)
    if damaged or norm >= len(NORMS) or pooling >= len(POOLINGS):
        raise ModelFileError("the parameter block is damaged")
    names = [field.name for field in fields(ParameterBlock)][2:9]
    return ParameterBlock(
        kind=kind,
        signature=signature,
        **dict(zip(names, shapes, strict=True)),
        reverse=bool(options & 1),
        residual=bool(options & 2),
        stream=bool(options & 4),
        norm=NORMS[norm],
        pooling=POOLINGS[pooling],
        weights=tuple(name for i, name in enumerate(WEIGHT_ORDER) if mask >> i & 1),
        norm_eps=eps,
    )


def _sign(kind: int, shapes: tuple[int, ...], options: int, mask: int, eps: float) -> bytes:
    def block(signature: int) -> bytes:
        return FORMAT.pack(MAGIC, LAYOUT_VERSION, kind, signature, *shapes, options, mask, eps)

    return block(zlib.crc32(block(0)))


def _signature(data: bytes) -> int:
    return zlib.crc32(data[:8] + bytes(4) + data[12:])
