"""Shorten the time axis as early as possible: means and slices move ahead of linear layers."""

from __future__ import annotations

from dataclasses import replace

from scanlet.graph import Graph, Node
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Linear,
    Norm,
    Operator,
    Reduce,
    SelectiveSSM,
    StreamPool,
    StridedSlice,
    Unary,
)
from scanlet.passes.affine import as_affine, set_affine
from scanlet.passes.fold_affine import has_weights
from scanlet.passes.fuse_pooling import pooling_of
from scanlet.passes.rewrite import new_tensor, push_behind


def hoist_pooling(graph: Graph) -> bool:
    """Needs nothing. Ensures that a mean over axes, or a slice along one, does not follow a layer
    that treats the positions along them alike and could run on fewer of them.

    Ahead of Linear and constant scales and offsets; a slice also ahead of pointwise functions,
    Norm and the activation of a Linear.
    """
    changed = False
    again = True
    while again:
        again = any(_hoist(graph, node) for node in list(graph.nodes))
        changed |= again
    return changed


def _hoist(graph: Graph, node: Node) -> bool:
    axes = _shortened(node)
    before = graph.producer(node.inputs[0])
    if not axes or before is None or graph.sole_consumer(before.output) is not node:
        return False
    slices = isinstance(node.op, StridedSlice)
    last = len(before.output.shape) - 1
    op = before.op
    if isinstance(op, Linear):
        fits = last not in axes and has_weights(before) and (slices or op.activation is None)
    elif isinstance(op, Norm):
        fits = slices and last not in axes
    elif isinstance(op, Unary):
        fits = slices
    else:
        return _hoist_over_affine(graph, node, before, axes)
    if fits:
        pool = node.op
        if last not in axes:
            pool = _of_features(pool, before.inputs[0].shape[-1])
        push_behind(graph, node, pool, before.inputs[:1], op, before.inputs[1:])
        graph.remove([before])
    return fits


def _hoist_over_affine(graph: Graph, node: Node, before: Node, axes: tuple[int, ...]) -> bool:
    affine = as_affine(before)
    if affine is None or affine.axis in axes:
        return False
    axis, y = affine.axis, node.output
    drops = isinstance(node.op, StreamPool) or (
        isinstance(node.op, Reduce) and not node.op.keepdims
    )
    if axis is not None and drops:
        axis -= sum(reduced < axis for reduced in axes)
    inner = new_tensor(graph, y, y.shape)
    node.inputs, node.outputs = [affine.x], [inner]
    behind = Node(before.op, [inner], [y], before.source)
    graph.nodes.insert(graph.index(node) + 1, behind)
    set_affine(graph, behind, replace(affine, x=inner, axis=axis))
    graph.remove([before])
    return True


def split_pooling(graph: Graph) -> bool:
    """Needs fuse_residuals (a residual sum belongs into the mixer as a whole).

    Ensures that time pooling of a sum, difference or concatenation of mixers' outputs (forward
    and backward) happens in each mixer: pool(a + b) = pool(a) + pool(b).
    """
    changed = False
    for node in list(graph.nodes):
        joint = graph.producer(node.inputs[0])
        if joint is None or graph.sole_consumer(joint.output) is not node:
            continue
        axes = _shortened(node)
        if axes != (1,) or not _is_joint(joint):
            continue
        mixers = [graph.producer(tensor) for tensor in joint.inputs]
        fusable = [
            mixer is not None
            and isinstance(mixer.op, SelectiveSSM)
            and graph.sole_consumer(mixer.output) is joint
            and mixer.output.shape[:2] == joint.output.shape[:2]
            and pooling_of(mixer, node) is not None
            for mixer in mixers
        ]
        if not (all(fusable) or (isinstance(node.op, StridedSlice) and any(fusable))):
            continue
        _split(graph, node, joint)
        changed = True
    return changed


def _split(graph: Graph, node: Node, joint: Node) -> None:
    pooled = []
    for tensor in joint.inputs:
        op, name = _of_features(node.op, tensor.shape[-1]), node.output.name
        pooled.append(graph.add(op, [tensor], name=name, source=node.source, before=node))
    op = joint.op
    node.op = Concatenate(len(node.output.shape) - 1) if isinstance(op, Concatenate) else op
    node.inputs = pooled
    graph.remove([joint])


def _is_joint(node: Node) -> bool:
    if isinstance(node.op, Concatenate):
        return node.op.axis == len(node.output.shape) - 1
    same = all(tensor.shape == node.output.shape for tensor in node.inputs)
    return isinstance(node.op, Binary) and node.op.kind in ("add", "sub") and same


def _of_features(op: Operator, features: int) -> Operator:
    """The same pooling of a tensor with another number of features; a slice takes all of them."""
    if not isinstance(op, StridedSlice):
        return op
    begin, end, strides = op.begin[:-1], op.end[:-1], op.strides[:-1]
    return StridedSlice((*begin, 0), (*end, features), (*strides, 1))


def _shortened(node: Node) -> tuple[int, ...]:
    """The axes that a mean or a slice shortens (never the batch axis); () if it is neither."""
    op = node.op
    if isinstance(op, StreamPool):
        return (1,)
    if isinstance(op, Reduce) and op.kind == "mean" and 0 not in op.axes:
        return op.axes
    if isinstance(op, StridedSlice):
        shapes = zip(node.inputs[0].shape, node.output.shape, strict=True)
        return tuple(axis for axis, (n, m) in enumerate(shapes) if m < n)
    return ()
