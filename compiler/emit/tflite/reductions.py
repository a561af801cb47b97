"""Softmax and reductions over axes."""

from __future__ import annotations

from scanlet.emit.tflite.assembly import Assembly
from scanlet.errors import EmitError
from scanlet.graph import Node
from scanlet.graph.operators import Reduce, Softmax

REDUCE = {"mean": "MEAN", "max": "REDUCE_MAX", "min": "REDUCE_MIN", "sum": "SUM"}
#: TFLM's MEAN copies the axes into an array of four without a check.
MAX_AXES = 4


def softmax(assembly: Assembly, node: Node, op: Softmax) -> None:  # noqa: ARG001
    """SOFTMAX over the last axis."""
    source = assembly.index(node.inputs[0])
    assembly.operator("SOFTMAX", [source], assembly.produce(node.output), Beta=1.0)


def reduce(assembly: Assembly, node: Node, op: Reduce) -> None:
    """MEAN, SUM, REDUCE_MAX or REDUCE_MIN with the axes as an int32 tensor."""
    if len(op.axes) > MAX_AXES:
        raise EmitError(
            f"{op.kind} over {len(op.axes)} axes; TFLite Micro takes {MAX_AXES}",
            where=node.source.module or node.output.name,
        )
    inputs = [assembly.index(node.inputs[0]), assembly.integers(op.axes)]
    output = assembly.produce(node.output)
    assembly.operator(REDUCE[op.kind], inputs, output, KeepDims=op.keepdims)
