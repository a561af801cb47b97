"""Concatenations of many tensors in several steps: TFLM's kernel takes ten."""

from __future__ import annotations

from scanlet.graph import Graph
from scanlet.graph.operators import Concatenate
from scanlet.passes.rewrite import insert_before

MAX_INPUTS = 10


def limit_concatenation(graph: Graph) -> bool:
    """Needs nothing. Ensures that a Concatenate has at most ten inputs."""
    changed = False
    for node in list(graph.nodes):
        while isinstance(node.op, Concatenate) and len(node.inputs) > MAX_INPUTS:
            groups = [
                node.inputs[i : i + MAX_INPUTS] for i in range(0, len(node.inputs), MAX_INPUTS)
            ]
            node.inputs = [
                insert_before(graph, node, node.op, group) if len(group) > 1 else group[0]
                for group in groups
            ]
            changed = True
    return changed
