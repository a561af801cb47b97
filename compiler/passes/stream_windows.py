"""Convolutions and pooling windows in a stream: what they look back on is carried."""

from __future__ import annotations

from dataclasses import replace

from scanlet.graph import Graph, Node
from scanlet.graph.operators import Conv1d, Pad, Pool1d, StreamHistory, StridedSlice, Transpose
from scanlet.passes.rewrite import bypass, insert_before
from scanlet.passes.time_axes import time_axes


def stream_windows(graph: Graph) -> bool:
    """Needs the simplifying passes. Ensures that a causal window over time (zeros on the left
    only, a chunk a whole number of its strides) reads a StreamHistory instead of zeros.

    Zeros that are a Pad of its own, and a convolution padded on both sides whose last outputs are
    cut off, count as well.
    """
    axes = time_axes(graph)
    changed = False
    for node in list(graph.nodes):
        if not isinstance(node.op, Conv1d | Pool1d) or axes.get(id(node.inputs[0])) != 1:
            continue
        changed |= _take_padding(graph, node)
        changed |= _cut_right(graph, node)
        history = _looks_back(node)
        if history and window_problem(node) is None and not isinstance(node.op, Pool1d):
            joined = insert_before(graph, node, StreamHistory(history), [node.inputs[0]])
            node.op = replace(node.op, padding=(0, 0))
            node.inputs = [joined, *node.inputs[1:]]
            changed = True
    return changed


def window_problem(node: Node) -> str | None:
    """Why a Conv1d or Pool1d does not work chunk by chunk, in words; None if it does.

    A Conv1d that reads a StreamHistory does.
    """
    span, stride, (left, right) = _window(node)
    if span == 1 and stride == 1:
        return None
    length = node.inputs[0].shape[1]
    words = "convolution" if isinstance(node.op, Conv1d) else "pooling window"
    text = f"the {words} (kernel {_kernel(node)}, stride {stride})"
    if right:
        return f"{text} looks {right} steps ahead"
    if length % stride:
        return f"{text} mixes time: chunks of {length} steps are no whole number of strides"
    if not max(span - stride, 0) <= left < max(span, 1):
        missing = max(span - stride, 0)
        return f"{text} mixes time without the padding ({missing}, 0) that makes it causal"
    return None


def reads_history(graph: Graph, node: Node) -> bool:
    """Whether the steps that the window looks back on are there."""
    before = graph.producer(node.inputs[0])
    return before is not None and isinstance(before.op, StreamHistory)


def _kernel(node: Node) -> int:
    return node.op.kernel if isinstance(node.op, Pool1d) else node.inputs[1].shape[1]


def _window(node: Node) -> tuple[int, int, tuple[int, int]]:
    """(steps that it spans, stride, padding)."""
    op = node.op
    if isinstance(op, Pool1d):
        return op.kernel, op.stride, (0, 0)
    assert isinstance(op, Conv1d)
    return op.dilation * (_kernel(node) - 1) + 1, op.stride, op.padding


def _looks_back(node: Node) -> int:
    return _window(node)[2][0]


def _take_padding(graph: Graph, node: Node) -> bool:
    """A Pad of time, maybe behind a Transpose, becomes the convolution's own padding."""
    if not isinstance(node.op, Conv1d):
        return False
    x = node.inputs[0]
    between = graph.producer(x)
    axis = 1
    if between is not None and isinstance(between.op, Transpose):
        if graph.sole_consumer(x) is not node:
            return False
        axis, x = between.op.perm[1], between.inputs[0]
    else:
        between = None
    pad = graph.producer(x)
    if pad is None or not isinstance(pad.op, Pad):
        return False
    if any(pair != (0, 0) for i, pair in enumerate(pad.op.padding) if i != axis):
        return False
    left, right = pad.op.padding[axis]
    if between is None:
        node.inputs = [pad.inputs[0], *node.inputs[1:]]
    else:
        source = insert_before(graph, node, between.op, [pad.inputs[0]])
        node.inputs = [source, *node.inputs[1:]]
    own = node.op.padding
    node.op = replace(node.op, padding=(own[0] + left, own[1] + right))
    graph.remove_dead()
    return True


def _cut_right(graph: Graph, node: Node) -> bool:
    """Outputs at the end that a slice alone reads past are not computed."""
    if not isinstance(node.op, Conv1d) or node.op.stride != 1 or not node.op.padding[1]:
        return False
    y, axis = node.output, 1
    reader = graph.sole_consumer(y)
    transpose = None
    if reader is not None and isinstance(reader.op, Transpose):
        transpose, axis = reader, reader.op.perm.index(1)
        reader = graph.sole_consumer(reader.output)
    if reader is None or not isinstance(reader.op, StridedSlice):
        return False
    op, whole = reader.op, reader.inputs[0].shape
    kept = reader.output.shape[axis]
    cut = whole[axis] - kept
    same = all(
        n == m for i, (n, m) in enumerate(zip(whole, reader.output.shape, strict=True)) if i != axis
    )
    left, right = node.op.padding
    if not same or op.begin[axis] != 0 or op.strides[axis] != 1 or not 0 < cut <= right:
        return False
    node.op = replace(node.op, padding=(left, right - cut))
    for shortened, along in ((node, 1), (transpose, axis)):
        if shortened is not None:
            shape = list(shortened.output.shape)
            shape[along] = kept
            shortened.output.shape = tuple(shape)
    return bypass(graph, reader)
