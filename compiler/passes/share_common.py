"""Compute the same thing once."""

from __future__ import annotations

from scanlet.graph import Graph, Node
from scanlet.graph.operators import LayerOperator


def share_common(graph: Graph) -> bool:
    """Needs nothing. Ensures that no two nodes apply one operator to the same tensors.

    Later passes then find a pattern by the identity of its tensors (`x - mean(x)` written twice
    in a hand-made LayerNorm). Mixers are left alone: in stream mode each has a state of its own.
    """
    changed = False
    first: dict[tuple, Node] = {}
    for node in list(graph.nodes):
        if isinstance(node.op, LayerOperator):
            continue
        twin = first.setdefault((node.op, *[id(tensor) for tensor in node.inputs]), node)
        if twin is not node and not graph.is_output(node.output):
            graph.replace_uses(node.output, twin.output)
            graph.remove([node])
            changed = True
    return changed
