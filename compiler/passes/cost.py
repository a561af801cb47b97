"""How much a graph multiplies: the products with weights, not the recurrence itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scanlet.graph import Graph, Node
from scanlet.graph.operators import Conv1d, IntegerSSM, Linear, SelectiveSSM


@dataclass(frozen=True)
class Multiplies:
    """Multiply-accumulates of one node: `per_step` in each of `steps` steps, `once` a sequence."""

    per_step: int
    steps: int
    once: int = 0

    @property
    def total(self) -> int:
        return self.per_step * self.steps + self.once


def node_multiplies(node: Node) -> Multiplies | None:
    """Multiply-accumulates of a node's products with weights; None if it has none.

    A SELECTIVE_SSM counts in_proj, convolution, x_proj, dt_proj and out_proj (once a sequence
    if it pools), and its input Linear; not the state update and the gate.
    """
    op = node.op
    if isinstance(op, Linear):
        weight = node.inputs[1]
        if len(node.output.shape) < 3:
            return Multiplies(0, 0, math.prod(node.output.shape[:-1]) * weight.size)
        return Multiplies(weight.size, math.prod(node.output.shape[:-1]))
    if isinstance(op, Conv1d):
        return Multiplies(node.inputs[1].size, node.output.shape[1])
    if isinstance(op, (SelectiveSSM, IntegerSSM)):
        weights = op.named(node.inputs)
        products = ("input_weight", "in_proj_weight", "conv_weight", "x_proj_weight")
        per_step = sum(weights[name].size for name in products if name in weights)
        per_step += weights["dt_proj_weight"].size
        out = weights["out_proj_weight"].size
        steps = node.inputs[0].shape[1]
        return Multiplies(per_step, steps, out) if op.pooling else Multiplies(per_step + out, steps)
    return None


def multiplies_per_sequence(graph: Graph) -> dict[str, int]:
    """Multiply-accumulates of one inference by node (named after its output), in order."""
    counts = {node.output.name: node_multiplies(node) for node in graph.nodes}
    return {name: count.total for name, count in counts.items() if count is not None}


def multiplies_per_step(graph: Graph) -> int:
    """Multiply-accumulates of one time step: what is spent once a sequence is left out."""
    counts = [node_multiplies(node) for node in graph.nodes]
    return sum(count.per_step for count in counts if count is not None)
