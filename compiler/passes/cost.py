"""How much a graph multiplies: the products with weights, not the recurrence itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scanlet.graph import Graph, Node
from scanlet.graph.operators import Conv1d, LayerOperator, Linear


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
    if isinstance(op, LayerOperator):
        shapes = {name: tensor.shape for name, tensor in op.named(node.inputs).items()}
        per_step, once = op.multiplies(shapes)
        return Multiplies(per_step, node.inputs[0].shape[1], once)
    return None


def multiplies_per_sequence(graph: Graph) -> dict[str, int]:
    """Multiply-accumulates of one inference by node (named after its output), in order."""
    counts = {node.output.name: node_multiplies(node) for node in graph.nodes}
    return {name: count.total for name, count in counts.items() if count is not None}


def multiplies_per_step(graph: Graph) -> int:
    """Multiply-accumulates of one time step: what is spent once a sequence is left out."""
    counts = [node_multiplies(node) for node in graph.nodes]
    return sum(count.per_step for count in counts if count is not None)


#: Parts of a mixer's work, by the weight that each multiplies with.
PART_OF_WEIGHT = {
    "input_weight": "input",
    "in_proj_weight": "in_proj_x",
    "conv_weight": "conv",
    "x_proj_weight": "x_proj",
    "dt_proj_weight": "dt",
    "out_proj_weight": "out_proj",
}


def multiplies_by_part(graph: Graph) -> dict[str, int]:
    """Multiply-accumulates of one inference by part of the mixers.

    in_proj is told in two, as it is computed: the rows of z apart from the others; "input" is a
    mixer's input Linear; "rest" is everything outside of mixers.
    """
    parts = dict.fromkeys((*PART_OF_WEIGHT.values(), "in_proj_z", "rest"), 0)
    for node in graph.nodes:
        count = node_multiplies(node)
        if count is None:
            continue
        known = 0
        if isinstance(node.op, LayerOperator):
            for name, tensor in node.op.named(node.inputs).items():
                if name not in PART_OF_WEIGHT:
                    continue
                pooled = name == "out_proj_weight" and count.once
                work = tensor.size * (1 if pooled else count.steps)
                known += work
                if name == "in_proj_weight":
                    gated = work * getattr(node.op, "d_inner", 0) // tensor.shape[0]
                    parts["in_proj_z"] += gated
                    work -= gated
                parts[PART_OF_WEIGHT[name]] += work
        parts["rest"] += max(count.total - known, 0)
    return parts
