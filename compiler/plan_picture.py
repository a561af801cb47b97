"""The plan of a compiled model for people: choices, cost, and memory over the schedule."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from scanlet.compiled import Compiled
from scanlet.errors import ModelFileError
from scanlet.passes.cost import multiplies_per_sequence, multiplies_per_step
from scanlet.planning.generic import plan_memory
from scanlet.planning.planner import choose_plan, memory_parts

WIDTH = 48  # characters that the arena is drawn in


def plan_content(compiled: Compiled) -> dict[str, Any]:
    """The plan of the generic library for the project's target, as plain data."""
    if compiled.graph is None:
        raise ModelFileError("the project holds no graph", where=compiled.name)
    plan = choose_plan(compiled.graph, compiled.target)
    memory = plan_memory(compiled.graph, plan)
    return {
        "target": plan.target.name,
        "tile": plan.tile,
        "memory": memory_parts(compiled.graph, plan),
        "multiply_accumulates": {
            "per_step": multiplies_per_step(compiled.graph),
            "per_inference": sum(multiplies_per_sequence(compiled.graph).values()),
        },
        "layers": [
            {
                "name": layer.name,
                "fused": [
                    name
                    for name, present in (
                        ("input Linear", "input_weight" in layer.op.weights),
                        ("norm", layer.op.norm),
                        ("residual", layer.op.residual),
                        (f"{layer.op.pooling} over time", layer.op.pooling),
                    )
                    if present
                ],
                "scratch_bytes": layer.scratch_bytes,
                "state_bytes": layer.state_bytes,
            }
            for layer in plan.layers
        ],
        "schedule": [type(node.op).__name__ for node in compiled.graph.nodes],
        "arena": [
            {
                "name": buffer.name,
                "offset": offset,
                "bytes": buffer.nbytes,
                "first": buffer.first,
                "last": buffer.last,
            }
            for buffer, offset in zip(memory.lifetimes, memory.offsets, strict=True)
        ],
    }


def print_plan(content: dict[str, Any]) -> None:
    """The plan with a picture: for each step of the schedule, what lies where in the arena."""
    console = Console()
    console.print(f"target {content['target']}, time tiles of {content['tile']} steps")
    counts = content["multiply_accumulates"]
    console.print(
        f"multiply-accumulates: {counts['per_step']:,} a step, "
        f"{counts['per_inference']:,} an inference"
    )
    for layer in content["layers"]:
        fused = ", ".join(layer["fused"]) or "nothing"
        console.print(
            f"{layer['name']}: fused {fused}; scratch {layer['scratch_bytes']:,} bytes, "
            f"state {layer['state_bytes']:,} bytes"
        )
    memory = Table("memory", "bytes")
    memory.columns[1].justify = "right"
    for name, nbytes in content["memory"].items():
        memory.add_row(name, f"{nbytes:,}")
    memory.add_row("in all", f"{sum(content['memory'].values()):,}")
    console.print(memory)
    letters = {b["name"]: chr(ord("a") + i % 26) for i, b in enumerate(content["arena"])}
    for step, name in enumerate(content["schedule"]):
        print(f"{step:3d} {_bar(content, step, letters)} {name}")
    for buffer in content["arena"]:
        print(
            f"    {letters[buffer['name']]} {buffer['name']}: {buffer['bytes']:,} bytes "
            f"at {buffer['offset']:,}"
        )


def _bar(content: dict[str, Any], step: int, letters: dict[str, str]) -> str:
    total = max(content["memory"]["arena"], 1)
    cells = ["."] * WIDTH
    for buffer in content["arena"]:
        if buffer["first"] <= step <= buffer["last"]:
            begin = buffer["offset"] * WIDTH // total
            end = max(begin + 1, -(-(buffer["offset"] + buffer["bytes"]) * WIDTH // total))
            cells[begin:end] = [letters[buffer["name"]]] * (min(end, WIDTH) - begin)
    return "".join(cells)
