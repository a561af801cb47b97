"""The memory of the generic library: one static arena for tensors, scratch and state.

Inputs and outputs are the caller's arrays. Everything else, activations and the operators'
scratch, is placed by lifetime in one arena; stream state lies behind it. The prediction is exact:
the generated C declares arrays of these sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import LayerOperator
from scanlet.planning.layer import LayerPlan
from scanlet.planning.memory import Lifetime, align, place
from scanlet.planning.plan import Plan


@dataclass(frozen=True)
class GenericMemory:
    """Bytes and offsets. `tensors` by id, `scratch` and `state` by the layers' order."""

    arena_bytes: int
    state_bytes: int
    tensors: dict[int, int]
    scratch: tuple[int, ...]  # offset of each layer's scratch (then, in sequence mode, its state)
    state: tuple[int, ...]  # stream mode: offset in the state block
    lifetimes: tuple[Lifetime, ...]
    offsets: tuple[int, ...]

    @property
    def total(self) -> int:
        return self.arena_bytes + self.state_bytes


def plan_memory(graph: Graph, plan: Plan) -> GenericMemory:
    """Place the activations and scratch of a legal graph."""
    external = {id(tensor) for tensor in (*graph.inputs, *graph.outputs)}
    last = _last_uses(graph)
    lifetimes: list[Lifetime] = []
    owners: list[Tensor | LayerPlan] = []
    layers = iter(plan.layers)
    state, state_bytes = [], 0
    for step, node in enumerate(graph.nodes):
        for tensor in node.outputs:
            if id(tensor) not in external:
                end = last.get(id(tensor), step)
                lifetimes.append(Lifetime(tensor.name, tensor.nbytes, step, end))
                owners.append(tensor)
        if isinstance(node.op, LayerOperator):
            layer = next(layers)
            nbytes = layer.scratch_bytes
            if node.op.mode == "stream":
                state.append(state_bytes)
                state_bytes += align(layer.state_bytes)
            else:
                nbytes += layer.state_bytes
            lifetimes.append(Lifetime(f"{layer.name} (scratch)", nbytes, step, step))
            owners.append(layer)
    placement = place(lifetimes)
    placed = list(zip(owners, placement.offsets, strict=True))
    return GenericMemory(
        arena_bytes=placement.nbytes,
        state_bytes=state_bytes,
        tensors={id(owner): offset for owner, offset in placed if isinstance(owner, Tensor)},
        scratch=tuple(offset for owner, offset in placed if isinstance(owner, LayerPlan)),
        state=tuple(state),
        lifetimes=tuple(lifetimes),
        offsets=placement.offsets,
    )


def _last_uses(graph: Graph) -> dict[int, int]:
    last: dict[int, int] = {}
    for step, node in enumerate(graph.nodes):
        for tensor in node.inputs:
            last[id(tensor)] = step
    return last


def nodes_with_layers(graph: Graph, plan: Plan) -> list[tuple[Node, LayerPlan | None]]:
    """Every node, with its plan where it is a SELECTIVE_SSM."""
    layers = iter(plan.layers)
    return [
        (node, next(layers) if isinstance(node.op, LayerOperator) else None) for node in graph.nodes
    ]
