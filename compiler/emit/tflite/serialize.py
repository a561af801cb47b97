"""The flat form as flatbuffer bytes (schema version 3, file identifier TFL3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flatbuffers
import tflite

from scanlet.emit.operator_table import BUILTINS, CUSTOM_CODE
from scanlet.emit.tflite.assembly import Assembly, FlatOperator, FlatTensor
from scanlet.graph import Quantization

SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"
ALIGNMENT = 16
TENSOR_TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "int8": tflite.TensorType.INT8,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
    "int64": tflite.TensorType.INT64,
    "bool": tflite.TensorType.BOOL,
}


def serialize(
    assembly: Assembly,
    inputs: Sequence[int],
    outputs: Sequence[int],
    *,
    description: str,
    metadata: Mapping[str, bytes],
) -> bytes:
    """One subgraph, "main". Identical constants share a buffer; the same input, the same bytes."""
    builder = flatbuffers.Builder(1024 + sum(len(t.data or b"") for t in assembly.tensors))
    buffers: dict[bytes, int] = {b"": 0}  # buffer 0 stays empty: it means "no data"
    codes: dict[str, int] = {}
    for op in assembly.operators:
        codes.setdefault(op.name, len(codes))
    contents = [tensor.data or b"" for tensor in assembly.tensors]
    for content in (*contents, *metadata.values()):
        buffers.setdefault(content, len(buffers))

    buffer_tables = [_buffer(builder, content) for content in buffers]
    tensors = [
        _tensor(builder, tensor, buffers[content])
        for tensor, content in zip(assembly.tensors, contents, strict=True)
    ]
    operators = [_operator(builder, op, codes[op.name]) for op in assembly.operators]
    fields = {
        "Name": builder.CreateString("main"),
        "Tensors": _offsets(builder, tensors),
        "Inputs": _integers(builder, inputs),
        "Outputs": _integers(builder, outputs),
        "Operators": _offsets(builder, operators),
    }
    subgraph = _table(builder, "SubGraph", fields)
    code_tables = [_operator_code(builder, name, assembly.operators) for name in codes]
    metadata_tables = [
        _table(
            builder, "Metadata", {"Name": builder.CreateString(name), "Buffer": buffers[content]}
        )
        for name, content in metadata.items()
    ]
    fields = {
        "Description": builder.CreateString(description),
        "Buffers": _offsets(builder, buffer_tables),
        "Subgraphs": _offsets(builder, [subgraph]),
        "OperatorCodes": _offsets(builder, code_tables),
        "Version": SCHEMA_VERSION,
    }
    if metadata_tables:
        fields["Metadata"] = _offsets(builder, metadata_tables)
    builder.Finish(_table(builder, "Model", fields), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())


def _buffer(builder: flatbuffers.Builder, content: bytes) -> int:
    return _table(builder, "Buffer", {"Data": _bytes(builder, content)} if content else {})


def _tensor(builder: flatbuffers.Builder, tensor: FlatTensor, buffer: int) -> int:
    fields = {
        "Name": builder.CreateString(tensor.name),
        "Shape": _integers(builder, tensor.shape),
        "Type": TENSOR_TYPES[tensor.dtype],
        "Buffer": buffer,
        "HasRank": True,
    }
    if tensor.quantization is not None:
        fields["Quantization"] = _quantization(builder, tensor.quantization)
    return _table(builder, "Tensor", fields)


def _quantization(builder: flatbuffers.Builder, quantization: Quantization) -> int:
    # TFLM takes one zero point for all channels; eight bytes a channel would be a waste.
    zero_points = quantization.zero_points
    shared = zero_points[:1] if len(set(zero_points)) == 1 else zero_points
    fields = {
        "Scale": _vector(builder, quantization.scales, 4, builder.PrependFloat32),
        "ZeroPoint": _vector(builder, shared, 8, builder.PrependInt64),
        "QuantizedDimension": quantization.axis or 0,
    }
    return _table(builder, "QuantizationParameters", fields)


def _operator(builder: flatbuffers.Builder, op: FlatOperator, code: int) -> int:
    fields: dict[str, Any] = {
        "Inputs": _integers(builder, op.inputs),
        "Outputs": _integers(builder, op.outputs),
        "OpcodeIndex": code,
    }
    options = BUILTINS[op.name].options if op.name in BUILTINS else None
    if options is not None:
        values = {
            key: _integers(builder, value) if isinstance(value, list) else value
            for key, value in op.options.items()
        }
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, options)
        fields["BuiltinOptions"] = _table(builder, options, values)
    if op.custom_options:
        fields["CustomOptions"] = _bytes(builder, op.custom_options)
    return _table(builder, "Operator", fields)


def _operator_code(
    builder: flatbuffers.Builder, name: str, operators: Sequence[FlatOperator]
) -> int:
    version = max(op.version for op in operators if op.name == name)
    if name == CUSTOM_CODE:
        code = deprecated = int(tflite.BuiltinOperator.CUSTOM)
        fields: dict[str, Any] = {"CustomCode": builder.CreateString(name)}
    else:
        code, deprecated, fields = BUILTINS[name].code, BUILTINS[name].deprecated_code, {}
    fields |= {"DeprecatedBuiltinCode": deprecated, "BuiltinCode": code, "Version": version}
    return _table(builder, "OperatorCode", fields)


def _table(builder: flatbuffers.Builder, name: str, fields: Mapping[str, Any]) -> int:
    """A table of the schema; offsets among the fields were made before."""
    getattr(tflite, f"{name}Start")(builder)
    for field, value in fields.items():
        getattr(tflite, f"{name}Add{field}")(builder, value)
    return int(getattr(tflite, f"{name}End")(builder))


def _bytes(builder: flatbuffers.Builder, content: bytes) -> int:
    """A byte vector whose content is aligned for any kernel that reads it in place."""
    builder.StartVector(1, len(content), ALIGNMENT)
    builder.head -= len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content
    return int(builder.EndVector())


def _integers(builder: flatbuffers.Builder, values: Sequence[int]) -> int:
    return _vector(builder, values, 4, builder.PrependInt32)


def _offsets(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    return _vector(builder, offsets, 4, builder.PrependUOffsetTRelative)


def _vector(
    builder: flatbuffers.Builder, values: Sequence[Any], size: int, prepend: Callable[[Any], None]
) -> int:
    builder.StartVector(size, len(values), size)
    for value in reversed(values):
        prepend(value)
    return int(builder.EndVector())
