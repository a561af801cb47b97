"""Activations that TFLite has no operator for."""

from __future__ import annotations

import math

import numpy as np

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import Binary, Unary
from scanlet.passes.rewrite import insert_before, new_constant


def decompose_activations(graph: Graph) -> bool:
    """Needs nothing. Ensures that no silu and no gelu_tanh is left.

    silu(x) = x sigmoid(x); gelu_tanh(x) = x sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3),
    since 1 + tanh(u) = 2 sigmoid(2u). The erf GELU stays: our operator computes it.
    """
    changed = False
    for node in list(graph.nodes):
        if node.op not in (Unary("silu"), Unary("gelu_tanh")):
            continue
        x = node.inputs[0]
        argument = x if node.op == Unary("silu") else _twice_u(graph, node, x)
        gate = insert_before(graph, node, Unary("sigmoid"), [argument])
        node.op, node.inputs = Binary("mul"), [x, gate]
        changed = True
    return changed


def _twice_u(graph: Graph, node: Node, x: Tensor) -> Tensor:
    slope = 2 * math.sqrt(2 / math.pi)
    name = node.output.name
    cubic = new_constant(graph, f"{name}.cubic", np.array([0.044715 * slope]))
    linear = new_constant(graph, f"{name}.linear", np.array([slope]))
    square = insert_before(graph, node, Unary("square"), [x])
    scaled = insert_before(graph, node, Binary("mul"), [square, cubic])
    total = insert_before(graph, node, Binary("add"), [scaled, linear])
    return insert_before(graph, node, Binary("mul"), [total, x])
