"""Move transposes down until they meet their inverse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import (
    Binary,
    ChannelAffine,
    Concatenate,
    Linear,
    Norm,
    Operator,
    Pad,
    Reduce,
    Softmax,
    StridedSlice,
    Transpose,
    Unary,
)
from scanlet.passes.rewrite import adopt, new_constant, push_behind, values


def cancel_transposes(graph: Graph) -> bool:
    """Needs nothing. Ensures that no transpose reads a transpose, and that one which a pass can
    move behind its reader without making more of them stands there.

    A transpose with several readers is moved only if that leaves less data to be moved in all
    (tried on a copy): a residual block between two of them, for instance.
    """
    changed = _push_all(graph, eager=False)
    trial = graph.copy()
    if _push_all(trial, eager=True) and _moved(trial) < _moved(graph):
        adopt(graph, trial)
        changed = True
    return changed


def _push_all(graph: Graph, *, eager: bool) -> bool:
    changed = False
    again = True
    while again:
        again = False
        for node in list(graph.nodes):
            if _merge(graph, node) or _push(graph, node, eager=eager):
                again = changed = True
        graph.remove_dead()
    return changed


def _merge(graph: Graph, node: Node) -> bool:
    before = graph.producer(node.inputs[0])
    if before is None or not (isinstance(node.op, Transpose) and isinstance(before.op, Transpose)):
        return False
    node.op = Transpose(tuple(before.op.perm[axis] for axis in node.op.perm))
    node.inputs = [before.inputs[0]]
    return True


def _push(graph: Graph, node: Node, *, eager: bool) -> bool:
    perm = _common_perm(graph, node, eager=eager)
    if perm is None:
        return False
    moved = _behind(node.op, perm)
    if moved is None:
        return False
    op, behind = moved
    inputs: list[Tensor] = []
    for position, tensor in enumerate(node.inputs):
        before = graph.producer(tensor)
        joint = isinstance(node.op, Binary | Concatenate)
        if before is not None and (joint or position == 0):
            inputs.append(before.inputs[0])
        elif joint and tensor.size > 1:
            rank = len(perm)
            data = values(tensor).reshape((1,) * (rank - len(tensor.shape)) + tensor.shape)
            back = data.transpose(tuple(int(axis) for axis in np.argsort(perm)))
            name = f"{node.output.name}.transposed_{position}"
            inputs.append(new_constant(graph, name, back, tensor.dtype))
        else:
            inputs.append(tensor)  # scalars; weights along a last axis that stays the last
    push_behind(graph, node, op, inputs, behind)
    return True


def _common_perm(graph: Graph, node: Node, *, eager: bool) -> tuple[int, ...] | None:
    """The permutation that all computed inputs of `node` went through; None if there is none."""
    perms: set[tuple[int, ...]] = set()
    joint = isinstance(node.op, Binary | Concatenate)
    for tensor in node.inputs if joint else node.inputs[:1]:
        if tensor.is_constant:
            continue
        before = graph.producer(tensor)
        if before is None or not isinstance(before.op, Transpose):
            return None
        if not eager and graph.sole_consumer(tensor) is not node:
            return None
        perms.add(before.op.perm)
    if len(perms) != 1:
        return None
    perm = perms.pop()
    fits = all(len(tensor.shape) <= len(perm) for tensor in node.inputs) or not joint
    return perm if fits else None


def _behind(op: Operator, perm: tuple[int, ...]) -> tuple[Operator, Operator] | None:
    """(op', transpose') such that op(transpose(x)) = transpose'(op'(x)); None if there is none."""
    same = Transpose(perm)
    last = len(perm) - 1
    match op:
        case Unary() | Binary():
            return op, same
        case ChannelAffine(axis) | Concatenate(axis):
            return replace(op, axis=perm[axis]), same
        case Norm() | Softmax() | Linear() if perm[last] == last:
            return op, same
        case Pad(padding):
            return Pad(tuple(_back(padding, perm))), same
        case StridedSlice(begin, end, strides):
            return StridedSlice(*(tuple(_back(v, perm)) for v in (begin, end, strides))), same
        case Reduce(kind, axes, keepdims):
            moved = Reduce(kind, tuple(sorted(perm[axis] for axis in axes)), keepdims)
            if keepdims:
                return moved, same
            left = [perm[axis] for axis in range(len(perm)) if axis not in axes]
            return moved, Transpose(tuple(sorted(left).index(axis) for axis in left))
    return None


def _back(per_axis: tuple, perm: tuple[int, ...]) -> list:
    """What was given for each transposed axis, for each axis before the transpose."""
    return [per_axis[perm.index(axis)] for axis in range(len(perm))]


def moves_data(node: Node) -> bool:
    """Whether a Transpose does more than move axes of one element."""
    assert isinstance(node.op, Transpose)
    kept = [axis for axis in node.op.perm if node.inputs[0].shape[axis] > 1]
    return kept != sorted(kept)


def _moved(graph: Graph) -> int:
    """Elements that transposes move."""
    return sum(
        math.prod(node.output.shape)
        for node in graph.nodes
        if isinstance(node.op, Transpose) and moves_data(node)
    )
