"""The parameter block in an operator's custom_options, which `prepare` checks.

Little-endian, 52 bytes, and 32 more for integer mixers:

    offset  type      field
    0       char[4]   magic "SSM1"
    4       uint16    version of this block and of the weights' packing (LAYOUT_VERSION)
    6       uint16    kind: 1 Mamba-1 mixer, 2 GELU, 3 Mamba-1 mixer in integers
    8       uint32    signature: CRC-32 of the block with this field zero
    12      int32[7]  in_features, d_model, d_inner, d_state, dt_rank, d_conv, d_out
    40      uint32    options: bit 0 reverse, 1 residual, 2 stream, 3-4 norm (1 layer, 2 rms),
                      5-6 pooling (1 mean, 2 last)
    44      uint32    weights: bit i is WEIGHT_ORDER[i], or INTEGER_WEIGHT_ORDER[i]
    48      float32   norm_eps; 0 for integers

    52      uint16    bytes of an activation: 1 or 2
    54      uint16    how weights and activations lie in memory (IntegerLayout.code)
    56      int32[5]  input_zero_point, output_zero_point, delta_fraction, norm_fraction,
                      residual_factor
    76      uint64    norm_eps in units of the squared residual stream

The time tile and the length are no part of it: they change neither weights nor results.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, fields

from scanlet.errors import ModelFileError
from scanlet.graph.operators import INTEGER_WEIGHT_ORDER, WEIGHT_ORDER, IntegerSSM
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import LAYOUT_VERSION

MAGIC = b"SSM1"
FORMAT = struct.Struct("<4sHHI7iIIf")
INTEGER_FORMAT = struct.Struct("<HH5iQ")
KIND_MAMBA1, KIND_GELU, KIND_INTEGER = 1, 2, 3
SIZES = {
    KIND_MAMBA1: FORMAT.size,
    KIND_GELU: FORMAT.size,
    KIND_INTEGER: FORMAT.size + INTEGER_FORMAT.size,
}
NORMS = (None, "layer", "rms")
POOLINGS = (None, "mean", "last")
ACTIVATION_BYTES = {"int8": 1, "int16": 2}


@dataclass(frozen=True)
class IntegerParameters:
    """What a block says of an integer mixer beyond its shapes; see `IntegerSSM`."""

    activation: str
    layout: int
    input_zero_point: int
    output_zero_point: int
    delta_fraction: int
    norm_fraction: int
    residual_factor: int
    norm_eps: int


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
    integer: IntegerParameters | None = None


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
    shapes = (
        *(layer.in_features, layer.d_model, op.d_inner),
        *(op.d_state, op.dt_rank, op.d_conv, layer.d_out),
    )
    if not isinstance(op, IntegerSSM):
        mask = sum(1 << WEIGHT_ORDER.index(name) for name in op.weights)
        return _sign(KIND_MAMBA1, shapes, options, mask, op.norm_eps)
    assert layer.layout is not None
    mask = sum(1 << INTEGER_WEIGHT_ORDER.index(name) for name in op.weights)
    integers = INTEGER_FORMAT.pack(
        *(ACTIVATION_BYTES[op.activation], layer.layout.code),
        *(op.input_zero_point, op.output_zero_point, op.delta_fraction, op.norm_fraction),
        *(op.residual_factor, op.norm_eps),
    )
    return _sign(KIND_INTEGER, shapes, options, mask, 0.0, integers)


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
    order = INTEGER_WEIGHT_ORDER if kind == KIND_INTEGER else WEIGHT_ORDER
    damaged = signature != _signature(data) or options >> 7 or mask >> len(order)
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
        weights=tuple(name for i, name in enumerate(order) if mask >> i & 1),
        norm_eps=eps,
        integer=_integer_parameters(data) if kind == KIND_INTEGER else None,
    )


def _integer_parameters(data: bytes) -> IntegerParameters:
    nbytes, layout, *values, norm_eps = INTEGER_FORMAT.unpack_from(data, FORMAT.size)
    activations = {code: name for name, code in ACTIVATION_BYTES.items()}
    if nbytes not in activations:
        raise ModelFileError("the parameter block is damaged")
    names = [field.name for field in fields(IntegerParameters)][2:7]
    return IntegerParameters(
        activation=activations[nbytes],
        layout=layout,
        norm_eps=norm_eps,
        **dict(zip(names, values, strict=True)),
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
