"""Broadcasting over at most four axes: what TFLite's pointwise kernels take."""

from __future__ import annotations

import math

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import Binary, Reshape
from scanlet.passes.rewrite import insert_before, new_constant, push_behind, values

MAX_BROADCAST_RANK = 4


def limit_rank(graph: Graph) -> bool:
    """Needs nothing. Ensures that a Binary that broadcasts has at most four axes, where axes that
    broadcast alike can be merged: the operands are reshaped, and the result back."""
    changed = False
    for node in list(graph.nodes):
        if isinstance(node.op, Binary) and broadcasts(node):
            rank = len(node.output.shape)
            groups = _groups(node)
            if rank > MAX_BROADCAST_RANK and len(groups) <= MAX_BROADCAST_RANK:
                _merge_axes(graph, node, groups)
                changed = True
    return changed


def broadcasts(node: Node) -> bool:
    """Whether the operands' shapes differ."""
    return any(tensor.shape != node.output.shape for tensor in node.inputs)


def _groups(node: Node) -> list[list[int]]:
    """Neighbouring axes along which each operand either varies everywhere or nowhere."""
    rank = len(node.output.shape)
    aligned = [(1,) * (rank - len(tensor.shape)) + tensor.shape for tensor in node.inputs]
    groups: list[list[int]] = []
    kinds: list[tuple[bool, ...]] = []
    for axis, n in enumerate(node.output.shape):
        kind = tuple(shape[axis] == n for shape in aligned)
        if (n == 1 and groups) or (kinds and kinds[-1] == kind):
            groups[-1].append(axis)
        else:
            groups.append([axis])
            kinds.append(kind)
    return groups


def _merge_axes(graph: Graph, node: Node, groups: list[list[int]]) -> None:
    rank = len(node.output.shape)
    inputs: list[Tensor] = []
    for position, tensor in enumerate(node.inputs):
        aligned = (1,) * (rank - len(tensor.shape)) + tensor.shape
        shape = tuple(math.prod(aligned[axis] for axis in group) for group in groups)
        if tensor.is_constant:
            name = f"{node.output.name}.reshaped_{position}"
            inputs.append(new_constant(graph, name, values(tensor).reshape(shape), tensor.dtype))
        else:
            inputs.append(insert_before(graph, node, Reshape(shape), [tensor]))
    push_behind(graph, node, node.op, inputs, Reshape(node.output.shape))
