"""The whole model: fields that scanlet never writes, memory in all, then each operator's rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tflite

from scanlet.emit.model_description import ModelDescription
from scanlet.emit.operator_table import BUILTINS, CUSTOM_CODE
from scanlet.emit.validation import layout, pointwise, products, reductions
from scanlet.emit.validation.indices import index_limits
from scanlet.emit.validation.node import HINT, MAX_RANK, Node, nodes
from scanlet.emit.validation.quantization import check_tensor, check_types
from scanlet.emit.validation.selective import selective
from scanlet.errors import ModelFileError

ALIGNMENT = 16
#: Activations in all: far beyond any target, and within what a host can give.
MAX_ACTIVATION_BYTES = 1 << 28
#: An interpreter keeps some hundred bytes for each.
MAX_OPERATORS = MAX_TENSORS = 1 << 15
MAX_NAME = 1 << 12

RULES: dict[str, Callable[[Node], None]] = {
    **dict.fromkeys(
        ("ABS", "EXP", "LOG", "LOGISTIC", "NEG", "RELU", "RELU6", "RSQRT", "SQRT", "SQUARE"),
        pointwise.unary,
    ),
    "TANH": pointwise.unary,
    **dict.fromkeys(("ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "SUB"), pointwise.binary),
    "SQUARED_DIFFERENCE": pointwise.binary,
    "SOFTMAX": pointwise.softmax,
    "QUANTIZE": pointwise.quantize,
    "DEQUANTIZE": pointwise.dequantize,
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), reductions.reduce),
    "RESHAPE": layout.reshape,
    "TRANSPOSE": layout.transpose,
    "STRIDED_SLICE": layout.strided_slice,
    "CONCATENATION": layout.concatenation,
    "PAD": layout.pad,
    "GATHER": layout.gather,
    "FULLY_CONNECTED": products.fully_connected,
    "CONV_2D": products.conv,
    "DEPTHWISE_CONV_2D": products.depthwise,
    "AVERAGE_POOL_2D": products.pool,
    "MAX_POOL_2D": products.pool,
}
#: Versions beside 1 and those of the types: without a bias, of five axes, dilated.
MORE_VERSIONS = {"FULLY_CONNECTED": {5, 6}, "TRANSPOSE": {4}, "DEPTHWISE_CONV_2D": {2}}


def check_model(tables: dict[str, Any], model: ModelDescription) -> None:
    """Raise ModelFileError unless scanlet could have written this.

    `tables` is the Model table as the walker read it, `model` what was made of it, with
    every index checked.
    """
    _check_tables(tables)
    if len(model.operators) > MAX_OPERATORS or len(model.tensors) > MAX_TENSORS:
        raise ModelFileError(
            f"{len(model.operators)} operators on {len(model.tensors)} tensors are too many"
        )
    names = [tensor.name for tensor in model.tensors]
    if len(set(names)) != len(names):
        raise ModelFileError("two tensors have the same name", hint=HINT)
    activations = sum(tensor.nbytes for tensor in model.tensors if not tensor.constant)
    if activations > MAX_ACTIVATION_BYTES:
        raise ModelFileError(
            f"its tensors take {activations:,} bytes, {MAX_ACTIVATION_BYTES:,} at most", hint=HINT
        )
    for tensor in model.tensors:
        if len(tensor.shape) > MAX_RANK:
            raise ModelFileError(
                f"a tensor of rank {len(tensor.shape)}, {MAX_RANK} at most",
                where=f"tensor {tensor.index} ({tensor.name!r})",
                hint=HINT,
            )
        check_tensor(tensor)
    for node in nodes(model):
        _check_node(node)
    index_limits(model)


def _check_node(node: Node) -> None:
    op = node.op
    if len(node.outputs) != 1:
        node.refuse(f"has {len(node.outputs)} outputs")
    if op.custom:
        node.need(op.name == CUSTOM_CODE and op.version == 1, "is none that scanlet emits")
        selective(node)
        return
    node.need(op.name in RULES, "is none that scanlet emits")
    entry = BUILTINS[op.name]
    versions = {1, entry.int8, entry.int16} | MORE_VERSIONS.get(op.name, set())
    node.need(op.version in versions, f"has version {op.version}")
    node.need(not op.custom_options, "has custom options")
    RULES[op.name](node)
    check_types(node)


def _check_tables(tables: dict[str, Any]) -> None:
    """Fields of the schema that the reader knows and scanlet leaves away."""
    (subgraph,) = tables["subgraphs"]
    for index, tensor in enumerate(subgraph["tensors"]):
        where = f"tensor {index} ({tensor['name'][:MAX_NAME]!r})"
        quantization = tensor["quantization"] or {}
        odd = quantization and (
            quantization["min"] or quantization["max"] or quantization["details_type"]
        )
        if odd or tensor["shape_signature"] or tensor["is_variable"]:
            raise ModelFileError("it has fields that scanlet never writes", where=where, hint=HINT)
        if quantization and not quantization["scale"]:
            raise ModelFileError("a quantization without scales", where=where, hint=HINT)
        if not 0 < len(tensor["name"]) <= MAX_NAME or not tensor["name"].isprintable():
            raise ModelFileError(
                "its name is empty, endless or unprintable", where=where, hint=HINT
            )
    custom = int(tflite.BuiltinOperator.CUSTOM)
    for index, code in enumerate(tables["operator_codes"]):
        old, new, name = (
            code["deprecated_builtin_code"],
            code["builtin_code"],
            code["custom_code"],
        )
        expected = BUILTINS[_NAMES[new]].deprecated_code if new in _NAMES else custom
        if old != expected or (name != CUSTOM_CODE if new == custom else name or new not in _NAMES):
            raise ModelFileError(
                f"the code {new} (or {old}) is none that scanlet emits",
                where=f"operator code {index}",
                hint=HINT,
            )
    for index, op in enumerate(subgraph["operators"]):
        code = tables["operator_codes"][op["opcode_index"]]
        entry = BUILTINS.get(_NAMES.get(code["builtin_code"], ""))
        options = entry.options if entry else None
        wanted = int(getattr(tflite.BuiltinOptions, options)) if options else 0
        odd = op["custom_options_format"] or op["intermediates"]
        if odd or op["builtin_options_type"] != wanted:
            raise ModelFileError(
                "its options are of another kind", where=f"operator {index}", hint=HINT
            )
    for index, buffer in enumerate(tables["buffers"]):
        if buffer["offset"] or buffer["size"]:
            raise ModelFileError("its content lies elsewhere", where=f"buffer {index}", hint=HINT)


_NAMES = {entry.code: name for name, entry in BUILTINS.items()}
