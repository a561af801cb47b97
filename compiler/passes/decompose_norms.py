"""Norms that no mixer took, as elementary operators."""

from __future__ import annotations

import numpy as np

from scanlet.graph import Graph
from scanlet.graph.operators import Binary, Norm, Reduce, Unary
from scanlet.passes.rewrite import insert_before, new_constant


def decompose_norms(graph: Graph) -> bool:
    """Needs fuse_norms. Ensures that no Norm is left: TFLM has none.

    x * rsqrt(mean(x^2) + eps) * weight + bias, LayerNorm after subtracting the mean.
    """
    changed = False
    for node in list(graph.nodes):
        if not isinstance(node.op, Norm):
            continue
        x, *weights = node.inputs
        name = node.output.name
        mean = Reduce("mean", (len(x.shape) - 1,), keepdims=True)
        if node.op.kind == "layer":
            x = insert_before(
                graph, node, Binary("sub"), [x, insert_before(graph, node, mean, [x])]
            )
        power = insert_before(graph, node, Unary("square"), [x])
        power = insert_before(graph, node, mean, [power])
        if node.op.eps:
            eps = new_constant(graph, f"{name}.eps", np.array([node.op.eps]))
            power = insert_before(graph, node, Binary("add"), [power, eps])
        inverse = insert_before(graph, node, Unary("rsqrt"), [power])
        terms = [(Binary("mul"), inverse)]
        terms += zip((Binary("mul"), Binary("add")), weights, strict=False)
        for op, operand in terms[:-1]:
            x = insert_before(graph, node, op, [x, operand])
        node.op, node.inputs = terms[-1][0], [x, terms[-1][1]]
        changed = True
    return changed
