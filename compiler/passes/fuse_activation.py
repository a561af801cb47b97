"""relu and relu6 inside the layer before them."""

from __future__ import annotations

from dataclasses import replace

from scanlet.graph import Graph
from scanlet.graph.operators import Conv1d, Linear, Unary
from scanlet.passes.rewrite import take_over

FUSED_ACTIVATIONS = ("relu", "relu6")


def fuse_activation(graph: Graph) -> bool:
    """Needs all algebraic passes (they want plain products). Ensures that relu and relu6 that
    alone read a Linear or Conv1d are its activation."""
    changed = False
    for node in list(graph.nodes):
        if not isinstance(node.op, Unary) or node.op.kind not in FUSED_ACTIVATIONS:
            continue
        layer = graph.producer(node.inputs[0])
        if (
            layer is not None
            and isinstance(layer.op, Linear | Conv1d)
            and layer.op.activation is None
            and graph.sole_consumer(layer.output) is node
        ):
            layer.op = replace(layer.op, activation=node.op.kind)
            take_over(graph, layer, node)
            changed = True
    return changed
