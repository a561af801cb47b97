"""Recognise RMSNorm and LayerNorm that were written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import Binary, Norm, Operator, Reduce, Unary
from scanlet.passes.affine import vector_along
from scanlet.passes.rewrite import new_constant, values


def recognise_norms(graph: Graph) -> bool:
    """Needs share_common (patterns are found by identity of tensors).

    Ensures that x * w / sqrt(mean(x^2) + eps) over the last axis is one Norm, in whatever order
    the product is written, and that it is a LayerNorm where x is u - mean(u). A weight or bias
    that follows is absorbed by fold_affine.
    """
    changed = False
    while _recognise_one(graph):
        graph.remove_dead()
        changed = True
    return changed


def _recognise_one(graph: Graph) -> bool:
    for node in reversed(graph.nodes):  # the whole product comes before its parts
        if isinstance(node.op, Binary) and node.op.kind in ("mul", "div"):
            if _recognise_product(graph, node):
                return True
        elif isinstance(node.op, Norm) and node.op.kind == "rms":
            centred = _centred(graph, node.inputs[0])
            if centred is not None:
                node.op = Norm("layer", node.op.eps)
                node.inputs = [centred, *node.inputs[1:]]
                return True
    return False


def _recognise_product(graph: Graph, node: Node) -> bool:
    above, below = _factors(graph, node)
    inverse: list[Tensor] = []  # what stands under the square root
    others: list[Tensor] = []
    weight = np.ones(1)
    for tensors, root_kind in ((above, "rsqrt"), (below, "sqrt")):
        for tensor in tensors:
            made_by = graph.producer(tensor)
            found = vector_along(tensor, node.output.shape) if tensor.is_constant else None
            if made_by is not None and made_by.op == Unary(root_kind):
                inverse.append(made_by.inputs[0])
            elif found is not None and found[0] in (None, len(node.output.shape) - 1):
                weight = weight * found[1] if tensors is above else weight / found[1]
            else:
                others.append(tensor)
    if len(inverse) != 1 or len(others) != 1 or others[0] not in above:
        return False
    x, (mean, eps) = others[0], _without_eps(graph, inverse[0])
    if x.shape != node.output.shape or not _is_mean_square(graph, mean, x):
        return False
    node.op, node.inputs = Norm("rms", eps), [x]
    if not np.all(weight == 1):
        full = np.broadcast_to(weight, (x.shape[-1],))
        node.inputs.append(new_constant(graph, f"{node.output.name}.weight", full))
    return True


def _factors(graph: Graph, node: Node) -> tuple[list[Tensor], list[Tensor]]:
    """The factors above and below the fraction bar of a product that is used only as a whole."""
    above: list[Tensor] = []
    below: list[Tensor] = []
    assert isinstance(node.op, Binary)
    for position, tensor in enumerate(node.inputs):
        inner = graph.producer(tensor)
        if (
            inner is not None
            and isinstance(inner.op, Binary)
            and inner.op.kind in ("mul", "div")
            and graph.sole_consumer(tensor) is node
            and node.inputs[0] is not node.inputs[1]
        ):
            over, under = _factors(graph, inner)
        else:
            over, under = [tensor], []
        if node.op.kind == "div" and position == 1:
            over, under = under, over
        above += over
        below += under
    return above, below


def _without_eps(graph: Graph, tensor: Tensor) -> tuple[Tensor, float]:
    node = graph.producer(tensor)
    if node is not None and node.op == Binary("add"):
        for mean, eps in (node.inputs, node.inputs[::-1]):
            if eps.is_constant and eps.size == 1 and values(eps).item() >= 0:
                return mean, values(eps).item()
    return tensor, 0.0


def _is_mean_square(graph: Graph, tensor: Tensor, x: Tensor) -> bool:
    """Whether `tensor` is mean(x^2) over the last axis, that axis kept."""
    squares = _input_of(graph, tensor, Reduce("mean", (len(x.shape) - 1,), keepdims=True))
    if squares is None:
        return False
    square, centred = graph.producer(squares), graph.producer(x)
    if square is None:
        return False
    if square.op == Unary("square"):
        return square.inputs[0] is x
    if square.op == Binary("mul"):
        return square.inputs[0] is x and square.inputs[1] is x
    return (
        square.op == Binary("squared_difference")
        and centred is not None
        and centred.op == Binary("sub")
        and _same(square.inputs, centred.inputs)
    )


def _centred(graph: Graph, tensor: Tensor) -> Tensor | None:
    """u, if `tensor` is u - mean(u) over the last axis."""
    node = graph.producer(tensor)
    if node is None or node.op != Binary("sub"):
        return None
    u, mean = node.inputs
    average = Reduce("mean", (len(tensor.shape) - 1,), keepdims=True)
    return u if _input_of(graph, mean, average) is u else None


def _input_of(graph: Graph, tensor: Tensor, op: Operator) -> Tensor | None:
    """What `op` was applied to, to give `tensor`; None if something else gives it."""
    node = graph.producer(tensor)
    return node.inputs[0] if node is not None and node.op == op else None


def _same(a: Sequence[Tensor], b: Sequence[Tensor]) -> bool:
    return all(x is y for x, y in zip(a, b, strict=True))
