"""Choose the plan for a target: the time tile, by memory and by a simple cost model.

Every weight is loaded once a tile, so a larger tile costs fewer loads, and more scratch; a tile
also needs its accumulators in registers. Each target states the tile that is fastest there
(`Target.tile`, measured); the planner takes the largest tile up to it whose memory fits.
"""

from __future__ import annotations

from scanlet.errors import TargetError
from scanlet.graph import Graph
from scanlet.planning.generic import plan_memory
from scanlet.planning.plan import Plan, make_plan, smaller_tiles
from scanlet.targets import Target

#: What the generated code needs of the stack at most (measured: 400 to 900 bytes a core).
STACK_BYTES = 1024


def choose_plan(
    graph: Graph, target: Target, *, tile: int | None = None, memory_limit: int | None = None
) -> Plan:
    """The plan of the generic library for `target`; `tile` fixes the time tile.

    Raises TargetError, with the breakdown and the smallest memory that would do, if nothing fits
    `memory_limit` (default: the target's RAM).
    """
    limit = min(memory_limit or target.ram_bytes, target.ram_bytes)
    tiles = [tile] if tile else [target.tile, *smaller_tiles(target.tile)]
    for candidate in tiles:
        plan = make_plan(graph, target, tile=candidate)
        if predicted_ram(graph, plan) <= limit:
            return plan
    parts = memory_parts(graph, plan)
    listed = ", ".join(f"{name} {nbytes:,}" for name, nbytes in parts.items())
    raise TargetError(
        f"the model needs {sum(parts.values()):,} bytes of RAM with time tiles of {candidate} "
        f"({listed}), {limit:,} are available",
        where=target.name,
        hint=f"give it {sum(parts.values()):,} bytes, shorten the input, or make it smaller",
    )


def memory_parts(graph: Graph, plan: Plan) -> dict[str, int]:
    """Predicted RAM of the generic library in bytes by part; the static parts are exact."""
    memory = plan_memory(graph, plan)
    return {
        "input": sum(tensor.nbytes for tensor in graph.inputs),
        "output": sum(tensor.nbytes for tensor in graph.outputs),
        "arena": memory.arena_bytes,
        "state": memory.state_bytes,
        "stack": STACK_BYTES,
    }


def predicted_ram(graph: Graph, plan: Plan) -> int:
    """All of `memory_parts`."""
    return sum(memory_parts(graph, plan).values())
