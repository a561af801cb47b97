"""Rules of stored integers: which tensors have a scale, and which zero points their types allow."""

from __future__ import annotations

import numpy as np

from scanlet.emit.model_description import TensorDescription
from scanlet.emit.operator_table import BUILTINS
from scanlet.emit.validation.node import HINT, QUANTIZED, Node
from scanlet.errors import ModelFileError

#: Operators that copy stored values, so that both sides have the same scale.
SAME_SCALE = frozenset(
    {
        *("RESHAPE", "TRANSPOSE", "STRIDED_SLICE", "CONCATENATION", "PAD", "AVERAGE_POOL_2D"),
        *("MAX_POOL_2D", "MAXIMUM", "MINIMUM", "RELU6", "REDUCE_MAX", "REDUCE_MIN", "GATHER"),
    }
)
#: Scales are float32 numbers; beyond these, products of them are zero or infinite.
LEAST_SCALE, LARGEST_SCALE = 1e-30, 1e30
#: Inputs that hold stored values of the output's kind: all but indices, weights, shapes.
FIRST_ONLY = frozenset({"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"})


def check_tensor(tensor: TensorDescription) -> None:
    """Scales within float32, zero points that the type can hold, 0 where the kernels want it."""
    where = f"tensor {tensor.index} ({tensor.name!r})"
    found = tensor.quantization
    if found is None:
        return  # only SELECTIVE_SSM may read it: check_types
    if tensor.dtype not in (*QUANTIZED, "int32", "int64"):
        raise ModelFileError(f"{tensor.dtype} values with a scale", where=where, hint=HINT)
    if not all(LEAST_SCALE <= one <= LARGEST_SCALE for one in found.scales):
        raise ModelFileError(f"a scale of {min(found.scales):g}", where=where, hint=HINT)
    least, largest = (-128, 127) if tensor.dtype == "int8" else (0, 0)
    if not all(least <= zero <= largest for zero in found.zero_points):
        raise ModelFileError(
            f"zero points up to {max(found.zero_points)}, {least} to {largest} are possible",
            where=where,
            hint=HINT,
        )
    if not tensor.constant and len(found.scales) > 1:
        raise ModelFileError("an activation with many scales", where=where, hint=HINT)


def check_types(node: Node) -> None:
    """The types of a builtin operator: one that has a kernel, the same for all values."""
    entry, y = BUILTINS[node.op.name], node.output
    values = node.inputs[:1] if node.op.name in FIRST_ONLY or _indexed(node) else node.inputs
    if node.op.name in ("QUANTIZE", "DEQUANTIZE"):
        for side in (node.x, y):
            bare = side.dtype in QUANTIZED and side.quantization is None
            node.need(not bare, f"converts {side.name!r}, which has no scale")
        return
    for tensor in (*values, y):
        if tensor is None:
            continue
        if tensor.dtype != y.dtype:
            node.refuse(f"reads {tensor.dtype} and writes {y.dtype}")
        integer = tensor.dtype in QUANTIZED
        if integer and (entry.version(tensor.dtype) is None or tensor.quantization is None):
            node.refuse(f"has no kernel for {tensor.dtype} here, {tensor.name!r}")
        if not integer and tensor.dtype != "float32" and not _moves_integers(node, tensor.dtype):
            node.refuse(f"has no kernel for {tensor.dtype}, {tensor.name!r}")
        same = node.op.name in SAME_SCALE and not (
            node.op.name == "GATHER" and tensor.dtype == "int16"
        )
        if same and tensor.quantization != y.quantization:
            node.refuse(f"cannot rescale {tensor.name!r}")


def _indexed(node: Node) -> bool:
    """Whether the further inputs are shapes, axes, bounds or indices."""
    return node.op.name in (
        *("RESHAPE", "TRANSPOSE", "STRIDED_SLICE", "PAD", "GATHER"),
        *("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"),
    )


def _moves_integers(node: Node, dtype: str) -> bool:
    return bool(np.dtype(dtype).kind == "i") and node.op.name in (
        *("RESHAPE", "TRANSPOSE", "STRIDED_SLICE", "CONCATENATION", "PAD", "GATHER"),
    )
