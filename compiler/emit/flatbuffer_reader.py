"""Read a TFLite flatbuffer back, trusting nothing: what `scanlet inspect` shows, and the check
that runs before bytes reach an interpreter (which would crash on damaged ones)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tflite

from scanlet.emit import seal
from scanlet.emit.flatbuffer_walk import SCHEMA, Span, Walker
from scanlet.emit.model_description import (
    ModelDescription,
    OperatorDescription,
    TensorDescription,
)
from scanlet.emit.operator_table import BUILTINS, CUSTOM_CODE
from scanlet.emit.validation.model import ALIGNMENT, check_model
from scanlet.emit.validation.node import HINT
from scanlet.errors import ModelFileError
from scanlet.graph import Quantization

__all__ = [
    "ModelDescription",
    "OperatorDescription",
    "TensorDescription",
    "read_model",
    "refuse_foreign_operators",
    "validate",
]

IDENTIFIER, SCHEMA_VERSION = b"TFL3", 3
MAX_TENSOR_BYTES = 1 << 31

DTYPES = {
    int(getattr(tflite.TensorType, name.upper())): name
    for name in (
        *("float32", "float16", "float64", "bool", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64"),
    )
}
_BUILTIN_NAMES = {
    code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)
}
_OPTION_TABLES = {
    code: name
    for name, code in vars(tflite.BuiltinOptions).items()
    if isinstance(code, int) and code and not name.startswith("_")
}


def read_model(tflite_bytes: bytes) -> ModelDescription:
    """Read and check the structure. Raises ModelFileError for anything damaged or odd.

    Checked: every offset and length, the identifier and schema version, every index, that sizes
    of constants agree with shapes, and that operators come after what they read.
    """
    return _read(bytes(tflite_bytes))[0]


def _read(data: bytes) -> tuple[ModelDescription, dict[str, Any], str]:
    """The description, the Model table that it comes from, and what scanlet never writes in it."""
    options = {code: name for code, name in _OPTION_TABLES.items() if name in SCHEMA}
    walker = Walker(data, options)
    model = walker.root(IDENTIFIER)
    if model["version"] != SCHEMA_VERSION:
        raise ModelFileError(f"schema version {model['version']}, expected {SCHEMA_VERSION}")
    if len(model["subgraphs"]) != 1:
        raise ModelFileError(f"{len(model['subgraphs'])} subgraphs; scanlet reads models with one")
    buffers = [_buffer(data, i, table) for i, table in enumerate(model["buffers"])]
    if not buffers or buffers[0]:
        raise ModelFileError("buffer 0 is missing or not empty")
    subgraph = model["subgraphs"][0]
    tensors = [_tensor(i, table, buffers) for i, table in enumerate(subgraph["tensors"])]
    operators = [
        _operator(data, table, model["operator_codes"], len(tensors))
        for table in subgraph["operators"]
    ]
    for index in (*subgraph["inputs"], *subgraph["outputs"]):
        _check_index(index, len(tensors), "tensor of the subgraph's inputs or outputs")
    _check_order(subgraph["inputs"], subgraph["outputs"], tensors, operators)
    metadata = {}
    for entry in model["metadata"]:
        _check_index(entry["buffer"], len(buffers), "buffer of metadata")
        metadata[entry["name"]] = buffers[entry["buffer"]]
    result = ModelDescription(
        description=model["description"],
        tensors=tensors,
        operators=operators,
        inputs=[tensors[i] for i in subgraph["inputs"]],
        outputs=[tensors[i] for i in subgraph["outputs"]],
        metadata=metadata,
        size=len(data),
    )
    return result, model, walker.oddity


def validate(tflite_bytes: bytes, *, sealed: bool = False) -> ModelDescription:
    """As `read_model`, and check the checksum, alignment, options and parameter blocks too.

    A file that carries scanlet's checksum must be one that scanlet could have written, in every
    field and operator (see `scanlet.emit.validation`). `sealed` refuses all others.
    """
    data = bytes(tflite_bytes)
    description, model, oddity = _read(data)
    ours = False
    for entry in model["metadata"]:
        if entry["name"] == seal.METADATA_NAME:
            span = model["buffers"][entry["buffer"]]["data"]
            seal.check(data, span.start, span.size)
            ours = True
    if ours and oddity:
        raise ModelFileError(f"the flatbuffer is damaged: {oddity}", hint=HINT)
    if sealed and not ours:
        raise ModelFileError(
            "the flatbuffer carries no checksum of scanlet",
            hint="only flatbuffers that scanlet wrote are run",
        )
    for index, buffer in enumerate(model["buffers"]):
        if buffer["data"].start % ALIGNMENT:
            raise ModelFileError(f"buffer {index} is not aligned to {ALIGNMENT} bytes")
    if ours:
        check_model(model, description)
    for op in description.operators:
        if op.custom and op.name == CUSTOM_CODE:
            _ = op.parameters  # decoding is the check
    return description


def refuse_foreign_operators(description: ModelDescription) -> None:
    """Raise ModelFileError for an operator that scanlet never emits."""
    for op in description.operators:
        if op.name != CUSTOM_CODE if op.custom else op.name not in BUILTINS:
            raise ModelFileError(
                f"operator {op.name} is none that scanlet emits",
                hint="only flatbuffers that scanlet wrote are run",
            )


def _bytes(data: bytes, span: Span) -> bytes:
    return data[span.start : span.start + span.size]


def _buffer(data: bytes, index: int, table: dict[str, Any]) -> bytes:
    if table["offset"] > 1 or table["size"] > 1:
        raise ModelFileError(f"buffer {index} lies outside of the flatbuffer")
    return _bytes(data, table["data"])


def _tensor(index: int, table: dict[str, Any], buffers: list[bytes]) -> TensorDescription:
    name = table["name"] or f"tensor {index}"
    if table["type"] not in DTYPES:
        raise ModelFileError(f"tensor {name!r} has the type code {table['type']}")
    if table["sparsity"]:
        raise ModelFileError(f"tensor {name!r} is sparse")
    shape, dtype = tuple(table["shape"]), DTYPES[table["type"]]
    if any(n < 1 for n in shape):
        raise ModelFileError(f"tensor {name!r} has the shape {shape}")
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    if nbytes >= MAX_TENSOR_BYTES:
        raise ModelFileError(f"tensor {name!r} would take {nbytes} bytes")
    _check_index(table["buffer"], len(buffers), f"buffer of tensor {name!r}")
    data = buffers[table["buffer"]] or None
    if data is not None and len(data) != nbytes:
        raise ModelFileError(f"tensor {name!r} of {nbytes} bytes has a buffer of {len(data)}")
    quantization = _quantization(name, shape, table["quantization"])
    return TensorDescription(index, name, shape, dtype, data, quantization)


def _quantization(
    name: str, shape: tuple[int, ...], table: dict[str, Any] | None
) -> Quantization | None:
    if table is None or not table["scale"]:
        return None
    scales, zero_points = tuple(table["scale"]), tuple(table["zero_point"])
    axis = table["quantized_dimension"]
    per_channel = len(scales) > 1
    if len(zero_points) == 1:  # TFLM takes one for all channels
        zero_points *= len(scales)
    if len(zero_points) != len(scales) or not all(0 < s < math.inf for s in scales):
        raise ModelFileError(f"tensor {name!r}: odd quantization parameters")
    if per_channel and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise ModelFileError(f"tensor {name!r}: {len(scales)} scales along axis {axis} of {shape}")
    return Quantization(scales, zero_points, axis if per_channel else None)


def _operator(
    data: bytes, table: dict[str, Any], codes: list[dict[str, Any]], tensors: int
) -> OperatorDescription:
    _check_index(table["opcode_index"], len(codes), "operator code")
    code = codes[table["opcode_index"]]
    builtin = max(code["deprecated_builtin_code"], code["builtin_code"])
    custom = builtin == tflite.BuiltinOperator.CUSTOM
    name = code["custom_code"] if custom else _BUILTIN_NAMES.get(builtin, "")
    if not name:
        raise ModelFileError(f"operator code {builtin} has no name")
    for index in table["inputs"]:
        if index != -1:
            _check_index(index, tensors, f"input of {name}")
    for index in table["outputs"]:
        _check_index(index, tensors, f"output of {name}")
    if not table["inputs"] or not table["outputs"]:
        raise ModelFileError(f"operator {name} has no input or no output")
    if name in BUILTINS and not custom:
        found = _OPTION_TABLES.get(table["builtin_options_type"])
        expected = BUILTINS[name].options
        if expected and found != expected:
            raise ModelFileError(f"operator {name} has the options {found}, expected {expected}")
    return OperatorDescription(
        name=name,
        version=code["version"],
        custom=custom,
        inputs=table["inputs"],
        outputs=table["outputs"],
        options=table["builtin_options"],
        custom_options=_bytes(data, table["custom_options"]),
    )


def _check_order(
    inputs: list[int],
    outputs: list[int],
    tensors: Sequence[TensorDescription],
    operators: Sequence[OperatorDescription],
) -> None:
    """Every operator reads constants or what is known, and writes what nobody else writes."""
    if not inputs or not outputs:
        raise ModelFileError("the model has no input or no output")
    known = set(inputs)
    if len(known) != len(inputs) or any(tensors[i].constant for i in inputs):
        raise ModelFileError("the model's inputs are constant or repeated")
    for op in operators:
        for index in op.inputs:
            if index >= 0 and index not in known and not tensors[index].constant:
                raise ModelFileError(f"{op.name} reads {tensors[index].name!r} too early")
        for index in op.outputs:
            if index in known or tensors[index].constant:
                raise ModelFileError(f"{op.name} writes {tensors[index].name!r} once more")
            known.add(index)
    if not known >= set(outputs):
        raise ModelFileError("an output of the model is never computed")


def _check_index(index: int, count: int, what: str) -> None:
    if not 0 <= index < count:
        raise ModelFileError(f"{what}: index {index} of {count}")
