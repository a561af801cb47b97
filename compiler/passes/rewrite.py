"""Small edits that the passes share. Constants are replaced, never written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scanlet.graph import Graph, Node, Tensor, constant
from scanlet.graph.operators import WEIGHT_ORDER, Operator, SelectiveSSM


def where(node: Node) -> str:
    """The place in the PyTorch model that `node` comes from, for error messages."""
    place = node.source.module or node.output.name
    return f"{place} ({node.source.location})" if node.source.location else place


def values(tensor: Tensor) -> np.ndarray:
    """The data of a constant in float64 (integers stay as they are)."""
    assert tensor.data is not None
    is_float = np.issubdtype(tensor.data.dtype, np.floating)
    return tensor.data.astype(np.float64) if is_float else tensor.data


def new_constant(graph: Graph, stem: str, data: np.ndarray, dtype: str = "float32") -> Tensor:
    """A constant whose name is not taken; it joins the graph once a node reads it."""
    return constant(graph.fresh_name(stem), data, dtype)


def new_tensor(graph: Graph, like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A computed tensor named after `like`."""
    return Tensor(graph.fresh_name(like.name), shape, like.dtype)


def bypass(graph: Graph, node: Node) -> bool:
    """Remove `node`, whose output equals its first input. Graph outputs keep their names.

    False (and no change) where the node is needed to give a graph output a tensor of its own.
    """
    x, y = node.inputs[0], node.output
    if graph.is_output(y):
        producer = graph.producer(x)
        if producer is None or graph.is_output(x):
            return False
        graph.replace_uses(x, y)
        producer.outputs = [y]
    else:
        graph.replace_uses(y, x)
    graph.remove([node])
    return True


def take_over(graph: Graph, producer: Node, consumer: Node) -> None:
    """Let `producer` compute the output of its sole consumer, which is removed."""
    producer.outputs = [consumer.output]
    graph.remove([consumer])


def push_behind(
    graph: Graph,
    node: Node,
    op: Operator,
    inputs: Sequence[Tensor],
    behind: Operator,
    extra: Sequence[Tensor] = (),
) -> None:
    """Let `node` compute op(*inputs), and a new node behind(that, *extra) the old output."""
    y = node.output
    inner = new_tensor(graph, y, op.infer_shape(*[tensor.shape for tensor in inputs]))
    node.op, node.inputs, node.outputs = op, list(inputs), [inner]
    follower = Node(behind, [inner, *extra], [y], node.source)
    graph.nodes.insert(graph.index(node) + 1, follower)


def insert_before(graph: Graph, node: Node, op: Operator, inputs: Sequence[Tensor]) -> Tensor:
    """Compute op(*inputs) ahead of `node`, as part of the same module."""
    return graph.add(op, inputs, name=node.output.name, source=node.source, before=node)


def update_ssm(
    graph: Graph,
    node: Node,
    weights: Mapping[str, np.ndarray | Tensor],
    *,
    x: Tensor | None = None,
    **changes: Any,
) -> None:
    """Give a SELECTIVE_SSM node other or additional weights, another input, other options."""
    assert isinstance(node.op, SelectiveSSM)
    named: dict[str, Tensor] = node.op.named(node.inputs)
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            value = new_constant(graph, f"{node.output.name}.{name}", value)
        named[name] = value
    order = tuple(name for name in WEIGHT_ORDER if name in named)
    node.op = replace(node.op, weights=order, **changes)
    node.inputs = [x or node.inputs[0], *[named[name] for name in order]]


def adopt(graph: Graph, other: Graph) -> None:
    """Replace the content of `graph` by that of `other` (a changed copy of it)."""
    graph.inputs, graph.outputs, graph.nodes = other.inputs, other.outputs, other.nodes
