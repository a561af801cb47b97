"""Data movement and reductions that leave every element in place, as reshapes."""

from __future__ import annotations

from scanlet.graph import Graph
from scanlet.graph.operators import Reduce, Reshape, Transpose
from scanlet.passes.cancel_transposes import moves_data


def use_reshapes(graph: Graph) -> bool:
    """Needs cancel_transposes (a reshape stops a transpose on its way) and fuse_pooling (a mean
    over one step is still a mean). Ensures that a Transpose of axes with one element, and a
    Reduce over such axes, is a Reshape, which costs nothing."""
    changed = False
    for node in graph.nodes:
        x = node.inputs[0]
        moves = isinstance(node.op, Transpose) and not moves_data(node)
        if moves or (isinstance(node.op, Reduce) and x.size == node.output.size):
            node.op = Reshape(node.output.shape)
            changed = True
    return changed
