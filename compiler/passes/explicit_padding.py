"""Convolution padding that TFLite cannot express, as an operator of its own."""

from __future__ import annotations

from dataclasses import replace

from scanlet.graph import Graph
from scanlet.graph.operators import Conv1d, Pad
from scanlet.passes.rewrite import insert_before


def same_padding(op: Conv1d, in_length: int, kernel: int) -> tuple[int, int]:
    """The (left, right) zeros of TFLite's SAME: ceil(length / stride) outputs, the odd zero
    on the right."""
    out_length = -(-in_length // op.stride)
    span = op.dilation * (kernel - 1) + 1
    total = max((out_length - 1) * op.stride + span - in_length, 0)
    return total // 2, total - total // 2


def is_same_padding(op: Conv1d, in_length: int, kernel: int) -> bool:
    """Whether the convolution pads exactly as TFLite's SAME does. (0, 0) is also VALID, always."""
    left, right = same_padding(op, in_length, kernel)
    span = op.dilation * (kernel - 1) + 1
    out_length = (in_length + left + right - span) // op.stride + 1
    return op.padding == (left, right) and out_length == -(-in_length // op.stride)


def explicit_padding(graph: Graph) -> bool:
    """Needs fold_affine. Ensures that a Conv1d has no padding, or exactly that of SAME; other
    padding (causal, for instance) is a Pad ahead of it."""
    changed = False
    for node in list(graph.nodes):
        op = node.op
        if not isinstance(op, Conv1d) or op.padding == (0, 0):
            continue
        x, weight = node.inputs[:2]
        if is_same_padding(op, x.shape[1], weight.shape[1]):
            continue
        padded = insert_before(graph, node, Pad(((0, 0), op.padding, (0, 0))), [x])
        node.op = replace(op, padding=(0, 0))
        node.inputs = [padded, *node.inputs[1:]]
        changed = True
    return changed
