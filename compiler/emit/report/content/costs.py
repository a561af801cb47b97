"""What an inference should cost on each emulated core, and what else could have been planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from scanlet.errors import TargetError
from scanlet.passes.extents import Extent
from scanlet.planning.planner import Alternative, choose_plan
from scanlet.targets import CORES, find


def expected_costs(extents: Sequence[Extent], length: int) -> list[dict[str, Any]]:
    """The cost model's figures for the plan that each emulated core would get.

    `instructions` is None where the model does not fit the core.
    """
    rows: list[dict[str, Any]] = []
    for core in CORES:
        try:
            choice = choose_plan(extents, find(core))
        except TargetError:
            rows.append({"core": core, "tile": None, "instructions": None, "per_step": None})
            continue
        instructions = round(choice.instructions)
        rows.append(
            {
                "core": core,
                "tile": choice.plan.tile,
                "instructions": instructions,
                "per_step": round(instructions / length),
            }
        )
    return rows


def plan_alternatives(found: Sequence[Alternative], limit: int) -> list[dict[str, Any]]:
    """Every plan that was looked at, cheapest first; `ram_bytes` counts everything on TFLM."""
    return [
        {
            "tile": one.choice.plan.tile,
            "fusion": asdict(one.choice.extent.fusion),
            "instructions": round(one.choice.instructions),
            "ram_bytes": sum(one.parts.values()),
            "parts": one.parts,
            "fits": sum(one.parts.values()) <= limit,
            "chosen": one.chosen,
        }
        for one in found
    ]
