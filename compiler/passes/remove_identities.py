"""Drop operators that change nothing, and merge reshapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scanlet.graph import Graph, Node
from scanlet.graph.operators import (
    Binary,
    ChannelAffine,
    Concatenate,
    Flip,
    Pad,
    Pool1d,
    Reduce,
    Reshape,
    StridedSlice,
    Transpose,
)
from scanlet.passes.rewrite import bypass, values

#: The constant that changes nothing, and whether it may also stand on the left.
_NEUTRAL = {"add": (0.0, True), "mul": (1.0, True), "sub": (0.0, False), "div": (1.0, False)}


def remove_identities(graph: Graph) -> bool:
    """Needs nothing. Ensures that no operator is an identity and no reshape reads a reshape."""
    changed = False
    for node in list(graph.nodes):
        changed |= _merge_reshapes(graph, node)
        changed |= _is_identity(node) and bypass(graph, node)
    return graph.remove_dead() or changed


def _is_identity(node: Node) -> bool:
    op, x, y = node.op, node.inputs[0], node.output
    if isinstance(op, Binary):
        return _keep_neutral_right(node) and node.inputs[0].shape == y.shape
    if x.shape != y.shape:
        return False
    match op:
        case Reshape() | StridedSlice() | Pad():
            return True  # of the same shape
        case Transpose(perm):
            return perm == tuple(range(len(perm)))
        case Concatenate():
            return len(node.inputs) == 1
        case Flip(axis):
            return x.shape[axis] == 1
        case Reduce(axes=axes):
            return not axes
        case Pool1d(kernel=kernel, stride=stride):
            return kernel == 1 and stride == 1
        case ChannelAffine():
            scale, offset = (values(tensor) for tensor in node.inputs[1:])
            return bool(np.all(scale == 1) and np.all(offset == 0))
    return False


def _keep_neutral_right(node: Node) -> bool:
    """Whether one operand is the neutral constant; it is moved to the right."""
    assert isinstance(node.op, Binary)
    if node.op.kind not in _NEUTRAL:
        return False
    neutral, commutes = _NEUTRAL[node.op.kind]
    for left, right in ((0, 1), (1, 0))[: 2 if commutes else 1]:
        tensor = node.inputs[right]
        if tensor.is_constant and np.all(values(tensor) == neutral):
            node.inputs = [node.inputs[left], tensor]
            return True
    return False


def _merge_reshapes(graph: Graph, node: Node) -> bool:
    """A reshape of a reshape, and a reshape that only removes or adds the reduced axes."""
    op = node.op
    if not isinstance(op, Reshape):
        return False
    before = graph.producer(node.inputs[0])
    if before is None:
        return False
    if isinstance(before.op, Reshape):
        node.inputs = [before.inputs[0]]
        return True
    if isinstance(before.op, Reduce) and graph.sole_consumer(before.output) is node:
        other = replace(before.op, keepdims=not before.op.keepdims)
        if other.infer_shape(before.inputs[0].shape) == op.shape:
            before.op, before.outputs = other, [node.output]
            graph.remove([node])
            return True
    return False
