"""Which function lowers which operator of the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scanlet.emit.tflite import elementwise, layout, products, reductions
from scanlet.emit.tflite.assembly import Assembly
from scanlet.emit.tflite.quantized import check_quantization
from scanlet.errors import EmitError
from scanlet.graph import Node
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Dequantize,
    Gather,
    Linear,
    Operator,
    Pad,
    Pool1d,
    Quantize,
    Reduce,
    Reshape,
    Softmax,
    StridedSlice,
    Transpose,
    Unary,
)

Lowering = Callable[[Assembly, Node, Any], None]

LOWERINGS: dict[type[Operator], Lowering] = {
    Linear: products.linear,
    Conv1d: products.conv1d,
    Pool1d: products.pool1d,
    Binary: elementwise.binary,
    Unary: elementwise.unary,
    Softmax: reductions.softmax,
    Reduce: reductions.reduce,
    Reshape: layout.reshape,
    Transpose: layout.transpose,
    StridedSlice: layout.strided_slice,
    Concatenate: layout.concatenate,
    Pad: layout.pad,
    Gather: layout.gather,
    Quantize: elementwise.quantize,
    Dequantize: elementwise.dequantize,
}


def lower(assembly: Assembly, node: Node) -> None:
    """Append the TFLite operators of a node (SELECTIVE_SSM apart, which needs its plan)."""
    lowering = LOWERINGS.get(type(node.op))
    if lowering is None:
        raise EmitError(
            f"{node.op} has no TFLite counterpart",
            where=node.source.module or node.output.name,
            hint="run the passes first: they replace or refuse it",
        )
    check_quantization(node)
    lowering(assembly, node, node.op)
