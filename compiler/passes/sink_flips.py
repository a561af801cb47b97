"""Move reversals of an axis down: into mixers, into reductions, or onto another reversal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import (
    Binary,
    ChannelAffine,
    Concatenate,
    DiagonalSSM,
    Flip,
    Gather,
    Linear,
    Mamba2,
    Norm,
    Reduce,
    SelectiveScan,
    SelectiveSSM,
    Softmax,
    StridedSlice,
    Transpose,
    Unary,
)
from scanlet.passes.rewrite import adopt, bypass, new_constant, new_tensor, values


def sink_flips(graph: Graph) -> bool:
    """Needs cancel_transposes. Ensures that a reversal of time in front of a mixer is the mixer's
    option `reverse`, and that two reversals of one axis cancel.

    A Flip with several readers moves behind each of them (a backward branch with a residual
    path); that is kept only if it leaves no more flips than before (tried on a copy).
    """
    changed = _sink_all(graph, eager=False)
    trial = graph.copy()
    if _sink_all(trial, eager=True) and _count(trial) <= _count(graph):
        adopt(graph, trial)
        changed = True
    return changed


def lower_flips(graph: Graph) -> bool:
    """Needs sink_flips. Ensures that a Flip that is left is a Gather with falling indices: TFLM's
    REVERSE_V2 is not on every device."""
    changed = False
    for node in graph.nodes:
        if isinstance(node.op, Flip):
            axis = node.op.axis
            indices = np.arange(node.output.shape[axis], dtype=np.int32)[::-1].copy()
            name = f"{node.output.name}.indices"
            node.inputs = [node.inputs[0], new_constant(graph, name, indices, "int32")]
            node.op = Gather(axis)
            changed = True
    return changed


def _count(graph: Graph) -> int:
    return sum(isinstance(node.op, Flip) for node in graph.nodes)


def _sink_all(graph: Graph, *, eager: bool) -> bool:
    changed = False
    again = True
    while again:
        again = False
        for node in list(graph.nodes):
            if _cancel(graph, node) or _push(graph, node, eager=eager):
                again = changed = True
        graph.remove_dead()
    return changed


def _flip_of(graph: Graph, tensor: Tensor) -> tuple[Tensor, int] | None:
    """(x, axis) if `tensor` is x reversed along axis."""
    node = graph.producer(tensor)
    if node is None or not isinstance(node.op, Flip):
        return None
    return node.inputs[0], node.op.axis


def _cancel(graph: Graph, node: Node) -> bool:
    flipped = _flip_of(graph, node.inputs[0])
    if flipped is None or node.op != Flip(flipped[1]):
        return False
    node.inputs = [flipped[0]]
    return bypass(graph, node)


def _push(graph: Graph, node: Node, *, eager: bool) -> bool:
    joint = isinstance(node.op, Binary | Concatenate)
    flips = [_flip_of(graph, tensor) for tensor in (node.inputs if joint else node.inputs[:1])]
    found = [flip for flip in flips if flip is not None]
    if not found or isinstance(node.op, Flip):
        return False
    sole = [graph.sole_consumer(t) is node for t, f in zip(node.inputs, flips, strict=False) if f]
    if not eager and not all(sole):
        return False
    if joint:
        return _push_joint(graph, node)
    x, axis = found[0]
    last = len(x.shape) - 1
    op = node.op
    behind: int | None = axis
    match op:
        case Unary():
            pass
        case Norm() | Softmax() | Linear() if axis != last:
            pass
        case ChannelAffine(channel) if channel != axis:
            pass
        case Transpose(perm):
            behind = perm.index(axis)
        case SelectiveSSM() | Mamba2() | DiagonalSSM() | SelectiveScan() if axis == 1:
            op = replace(op, reverse=not op.reverse)
            behind = None if op.pooled else 1
        case Reduce(axes=axes):
            if axis in axes:
                behind = None
            elif not op.keepdims:
                behind = axis - sum(reduced < axis for reduced in axes)
        case StridedSlice():
            op = _mirrored(op, axis, x.shape[axis])
            behind = None if node.output.shape[axis] == 1 else axis
        case _:
            return False
    node.op = op
    _follow(graph, node, [x, *node.inputs[1:]], behind)
    return True


def _push_joint(graph: Graph, node: Node) -> bool:
    """Binary or Concatenate of tensors that are all reversed along the same axis (or do not vary
    along it, or are constants)."""
    rank = len(node.output.shape)
    found = [flip for tensor in node.inputs if (flip := _flip_of(graph, tensor)) is not None]
    axes = {axis + rank - len(x.shape) for x, axis in found}
    if len(axes) != 1:
        return False
    (axis,) = axes
    if isinstance(node.op, Concatenate) and node.op.axis == axis:
        return False
    inputs: list[Tensor] = []
    for position, tensor in enumerate(node.inputs):
        own = axis - (rank - len(tensor.shape))
        flipped = _flip_of(graph, tensor)
        if flipped is not None and tensor.shape[own] == node.output.shape[axis]:
            inputs.append(flipped[0])
        elif own < 0 or tensor.shape[own] == 1:
            inputs.append(tensor)
        elif tensor.is_constant:
            name = f"{node.output.name}.reversed_{position}"
            data = np.flip(values(tensor), own)
            inputs.append(new_constant(graph, name, data, tensor.dtype))
        else:
            return False
    _follow(graph, node, inputs, axis)
    return True


def _mirrored(op: StridedSlice, axis: int, n: int) -> StridedSlice:
    """The slice that picks, before a reversal of `axis`, the elements that `op` picks behind."""
    picked = range(*slice(op.begin[axis], op.end[axis], op.strides[axis]).indices(n))
    bounds = [list(op.begin), list(op.end)]
    bounds[0][axis], bounds[1][axis] = n - 1 - picked[-1], n - picked[0]
    return StridedSlice(tuple(bounds[0]), tuple(bounds[1]), op.strides)


def _follow(graph: Graph, node: Node, inputs: list[Tensor], behind: int | None) -> None:
    """Let `node` read `inputs`, and reverse axis `behind` of what it computes (None: do not)."""
    node.inputs = inputs
    if behind is None:
        return
    y = node.output
    inner = new_tensor(graph, y, y.shape)
    node.outputs = [inner]
    graph.nodes.insert(graph.index(node) + 1, Node(Flip(behind), [inner], [y], node.source))
