"""The parameter block in an operator's custom_options, which `prepare` checks.

Little-endian, 52 bytes, and up to 32 more that are the kind's own (see `emit.kinds`):

    offset  type      field
    0       char[4]   magic "SSM1"
    4       uint16    version of this block and of the weights' packing (LAYOUT_VERSION)
    6       uint16    kind: 1 Mamba-1 mixer, 2 GELU, the others' in `emit.kinds`
    8       uint32    signature: CRC-32 of the block with this field zero
    12      int32[7]  in_features, d_model, d_inner, d_state, dt_rank, d_conv, d_out; 0 where a
                      kind has no such size
    40      uint32    options: bit 0 reverse, 1 residual, 2 stream, 3-4 norm (1 layer, 2 rms),
                      5-6 pooling (1 mean, 2 last, 3 running mean), 16-31 its window in steps (0:
                      the longest)
    44      uint32    weights: bit i is the i-th of the kind's order of weights
    48      float32   norm_eps; 0 for integers

The time tile and the length are no part of it: they change neither weights nor results.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, fields
from typing import Any

from scanlet.emit.kinds import BY_CODE, KIND_GELU, KINDS
from scanlet.errors import ModelFileError
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import LAYOUT_VERSION

MAGIC = b"SSM1"
FORMAT = struct.Struct("<4sHHI7iIIf")
SIZES = {KIND_GELU: FORMAT.size} | {
    code: FORMAT.size + kind.more.size for code, kind in BY_CODE.items()
}
NORMS = (None, "layer", "rms")
POOLINGS = (None, "mean", "last", "running")


@dataclass(frozen=True)
class ParameterBlock:
    """The block's fields; shapes and options are zero or None where a kind has none.

    `more` is what the kind adds, None if nothing.
    """

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
    window: int = 0
    weights: tuple[str, ...] = ()
    norm_eps: float = 0.0
    more: Any = None

    @property
    def is_layer(self) -> bool:
        """Whether a LayerPlan stands behind the node; none does behind a GELU."""
        return self.kind != KIND_GELU


def encode(layer: LayerPlan) -> bytes:
    """The block of a layer."""
    op, kind = layer.op, KINDS[type(layer.op)]
    options = (
        int(getattr(op, "reverse", False))
        | int(getattr(op, "residual", False)) << 1
        | int(op.mode == "stream") << 2
        | NORMS.index(getattr(op, "norm", None)) << 3
        | POOLINGS.index(getattr(op, "pooling", None)) << 5
        | getattr(op, "window", 0) << 16
    )
    inside = (getattr(op, name, 0) for name in ("d_inner", "d_state", "dt_rank", "d_conv"))
    shapes = (layer.in_features, layer.d_model, *inside, layer.d_out)
    mask = sum(1 << kind.order.index(name) for name in op.weights)
    eps = float(getattr(op, "norm_eps", 0)) if kind.activation(op) == "float32" else 0.0
    return _sign(kind.code, shapes, options, mask, eps, kind.more.encode(layer))


def encode_gelu() -> bytes:
    """The block of an elementwise GELU (with the error function)."""
    return _sign(KIND_GELU, (0,) * 7, 0, 0, 0.0)


def decode(data: bytes) -> ParameterBlock:
    """The inverse of `encode` and `encode_gelu`. Raises ModelFileError for anything else."""
    if len(data) not in SIZES.values():
        sizes = " or ".join(map(str, sorted(set(SIZES.values()))))
        raise ModelFileError(f"a parameter block of {len(data)} bytes, {sizes} expected")
    magic, version, kind, signature, *shapes, options, mask, eps = FORMAT.unpack_from(data)
    if magic != MAGIC or SIZES.get(kind) != len(data):
        raise ModelFileError("the custom options are no SELECTIVE_SSM parameter block")
    if version != LAYOUT_VERSION:
        raise ModelFileError(
            f"parameter block version {version}, this scanlet reads {LAYOUT_VERSION}",
            hint="compile the model again",
        )
    norm, pooling = options >> 3 & 3, options >> 5 & 3
    order = BY_CODE[kind].order if kind in BY_CODE else ()
    damaged = signature != _signature(data) or options >> 7 & 0x1FF or mask >> len(order)
    if damaged or norm >= len(NORMS):
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
        window=options >> 16,
        weights=tuple(name for i, name in enumerate(order) if mask >> i & 1),
        norm_eps=eps,
        more=BY_CODE[kind].more.decode(data[FORMAT.size :]) if kind in BY_CODE else None,
    )


def _sign(
    kind: int, shapes: tuple[int, ...], options: int, mask: int, eps: float, more: bytes = b""
) -> bytes:
    def block(signature: int) -> bytes:
        head = (MAGIC, LAYOUT_VERSION, kind, signature)
        return FORMAT.pack(*head, *shapes, options, mask, eps) + more

    return block(zlib.crc32(block(0)))


def _signature(data: bytes) -> int:
    return zlib.crc32(data[:8] + bytes(4) + data[12:])
