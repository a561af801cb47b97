"""Time pooling inside the mixer: it moves before out_proj, which then runs once a sequence."""

from __future__ import annotations

from typing import Any

from scanlet.graph import Graph, Node
from scanlet.graph.operators import Reduce, Reshape, SelectiveSSM, StreamPool, StridedSlice
from scanlet.passes.rewrite import new_tensor, update_ssm


def fuse_pooling(graph: Graph) -> bool:
    """Needs fuse_residuals and hoist_pooling. Ensures that a mean over time, a running
    mean, or the selection of the step that a mixer computes last, that alone reads a mixer's
    output is its `pooling`."""
    changed = False
    for node in list(graph.nodes):
        mixer = graph.producer(node.inputs[0])
        if mixer is None or graph.sole_consumer(mixer.output) is not node:
            continue
        pooling = pooling_of(mixer, node)
        if pooling is None:
            continue
        y = node.output
        pooled_shape = (1, mixer.output.shape[2])
        if y.shape == pooled_shape:
            mixer.outputs = [y]
            graph.remove([node])
        else:  # the time axis is kept
            mixer.outputs = [new_tensor(graph, y, pooled_shape)]
            node.op, node.inputs = Reshape(y.shape), [mixer.output]
        update_ssm(graph, mixer, {}, **pooling)
        changed = True
    return changed


def pooling_of(mixer: Node, node: Node) -> dict[str, Any] | None:
    """The pooling that `node` does on the output of `mixer` as options of the mixer, or None.

    "last" is the last step in processing order: step L - 1, but step 0 of a reversed mixer.
    """
    op, pool = mixer.op, node.op
    if not isinstance(op, SelectiveSSM) or op.pooling:
        return None
    if isinstance(pool, StreamPool):
        return {"pooling": "running", "window": pool.window}
    if isinstance(pool, Reduce):
        return {"pooling": "mean"} if pool.kind == "mean" and pool.axes == (1,) else None
    length = mixer.output.shape[1]
    if isinstance(pool, StridedSlice) and node.output.shape[:2] == (1, 1):
        whole = node.output.shape[2] == node.inputs[0].shape[2]
        picked = range(length)[slice(pool.begin[1], pool.end[1], pool.strides[1])][0]
        if whole and picked == (0 if op.reverse else length - 1):
            return {"pooling": "last"}
    return None
