"""Evaluate what depends on constants alone."""

from __future__ import annotations

from scanlet.graph import Graph
from scanlet.passes.rewrite import values


def fold_constants(graph: Graph) -> bool:
    """Needs nothing. Ensures that no node (but a graph output's) reads constants only."""
    changed = False
    for node in list(graph.nodes):
        if graph.is_output(node.output) or not all(t.is_constant for t in node.inputs):
            continue
        node.output.data = node.op.evaluate(*[values(tensor) for tensor in node.inputs])
        graph.remove([node])
        changed = True
    return changed
