"""Choose the plan for a target: fusion extent and time tile, by memory and by the cost model.

Every combination is small enough to look at: the cheapest by `cost_model` whose memory fits wins;
among those that cost hardly more, the one that needs the least memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scanlet.errors import TargetError
from scanlet.graph import Graph
from scanlet.graph.operators import LayerOperator
from scanlet.passes.extents import Extent
from scanlet.planning.cost_model import costs_of, estimate
from scanlet.planning.generic import plan_memory
from scanlet.planning.plan import Plan, make_plan
from scanlet.targets import Target

#: Costs closer than this are the same: the model is not more exact.
SAME_COST = 1.01


@dataclass(frozen=True)
class Choice:
    """A plan, the graph with the fusion that it is for, and the instructions it should cost."""

    extent: Extent
    plan: Plan
    instructions: float

    @property
    def graph(self) -> Graph:
        return self.extent.graph


@dataclass(frozen=True)
class Alternative:
    """A plan that was looked at, and the RAM in bytes by part that it was predicted to need."""

    choice: Choice
    parts: dict[str, int]
    chosen: bool


def choose_plan(
    extents: Sequence[Extent],
    target: Target,
    *,
    tile: int | None = None,
    memory_limit: int | None = None,
) -> Choice:
    """The plan of the generic library for `target`; `tile` fixes the time tile.

    Raises TargetError, with the breakdown and the smallest memory that would do, if nothing fits
    `memory_limit` (default: the target's RAM).
    """
    limit = min(memory_limit or target.ram_bytes, target.ram_bytes)
    return first_fit(
        choices(extents, target, tile=tile),
        lambda choice: memory_parts(choice.graph, choice.plan),
        limit,
    )


def choices(extents: Sequence[Extent], target: Target, *, tile: int | None = None) -> list[Choice]:
    """Every combination of fusion and time tile, cheapest first."""
    found = []
    for extent in extents:
        for size in [tile] if tile else _tiles(extent.graph, target):
            plan = make_plan(extent.graph, target, tile=size)
            found.append(Choice(extent, plan, estimate(extent.graph, plan)))
            if not plan.layers:
                break  # nothing is tiled
    return sorted(found, key=lambda c: (c.instructions, predicted_ram(c.graph, c.plan)))


def _tiles(graph: Graph, target: Target) -> list[int]:
    """Time tiles worth a look: in stream mode none that is longer than a chunk, but the first."""
    tiles = list(costs_of(target).tiles)
    chunks = [
        node.inputs[0].shape[1]
        for node in graph.nodes
        if isinstance(node.op, LayerOperator) and node.op.mode == "stream"
    ]
    return [size for size in tiles if size <= max(chunks, default=size)] or tiles[:1]


def first_fit(
    candidates: Sequence[Choice], parts_of: Callable[[Choice], dict[str, int]], limit: int
) -> Choice:
    """The cheapest choice (`candidates` are in that order) whose memory, `parts_of` in bytes, fits.

    Raises TargetError if none does.
    """
    needs = [(sum(parts_of(choice).values()), choice) for choice in candidates]
    fitting = [(needed, choice) for needed, choice in needs if needed <= limit]
    if fitting:
        most = SAME_COST * fitting[0][1].instructions
        return min(
            (pair for pair in fitting if pair[1].instructions <= most), key=lambda pair: pair[0]
        )[1]
    needed, choice = min(needs, key=lambda pair: pair[0])
    listed = ", ".join(f"{name} {nbytes:,}" for name, nbytes in parts_of(choice).items())
    raise TargetError(
        f"the model needs {needed:,} bytes of RAM at the smallest plan, with time tiles of "
        f"{choice.plan.tile} ({listed}); {limit:,} are available",
        where=choice.plan.target.name,
        hint=f"give it {needed:,} bytes, shorten the input, or make it smaller",
    )


def memory_parts(graph: Graph, plan: Plan) -> dict[str, int]:
    """Predicted RAM of the generic library in bytes by part; the static parts are exact."""
    memory = plan_memory(graph, plan)
    return {
        "input": sum(tensor.nbytes for tensor in graph.inputs),
        "output": sum(tensor.nbytes for tensor in graph.outputs),
        "arena": memory.arena_bytes,
        "state": memory.state_bytes,
        "stack": plan.target.stack_bytes,
    }


def predicted_ram(graph: Graph, plan: Plan) -> int:
    """All of `memory_parts`."""
    return sum(memory_parts(graph, plan).values())
