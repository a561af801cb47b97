"""The plan of a whole model for a target: one LayerPlan a SELECTIVE_SSM node."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scanlet.graph import Graph, Node
from scanlet.graph.operators import LayerOperator
from scanlet.planning.kinds import kind_of
from scanlet.planning.layer import LayerPlan
from scanlet.targets import Target


@dataclass(frozen=True)
class Plan:
    """What the emitters render; `layers` in the order of their nodes in the graph."""

    target: Target
    tile: int
    layers: tuple[LayerPlan, ...]


def make_plan(graph: Graph, target: Target, *, tile: int = 4) -> Plan:
    """Plan every SELECTIVE_SSM node of a legal graph with time tiles of `tile` steps."""
    layers: list[LayerPlan] = []
    for node in graph.nodes:
        if isinstance(node.op, LayerOperator):
            name = _layer_name(node, {layer.name for layer in layers})
            layers.append(kind_of(node.op).plan(node, target, len(layers), name, tile))
    return Plan(target, tile, tuple(layers))


def _layer_name(node: Node, taken: set[str]) -> str:
    """A C identifier from the module path, unique in the model."""
    stem = re.sub(r"\W+", "_", node.source.module).strip("_").lower() or "mixer"
    if stem[0].isdigit():
        stem = f"mixer_{stem}"
    name, count = stem, 1
    while name in taken:
        count += 1
        name = f"{stem}_{count}"
    return name
