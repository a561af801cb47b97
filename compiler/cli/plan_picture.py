"""The plan of a compiled model for people: choices, cost, and memory over the schedule."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from scanlet.compiled import Compiled
from scanlet.passes.cost import multiplies_per_sequence, multiplies_per_step
from scanlet.planning.generic import plan_memory
from scanlet.planning.planner import memory_parts
from scanlet.planning.tflm_arena import predict_arena

WIDTH, LEAST_WIDTH = 48, 16  # characters that the arena is drawn in


def plan_content(compiled: Compiled) -> dict[str, Any]:
    """The plan of the generic library for the project's target, as plain data."""
    choice = compiled.planned_for(compiled.target, keep_plan=True)
    graph, plan = choice.graph, choice.plan
    memory = plan_memory(graph, plan)
    arena = predict_arena(compiled.description, plan.layers)
    return {
        "target": plan.target.name,
        "tile": plan.tile,
        "instructions": choice.instructions,
        "tflm_arena": {"tensors and scratch": arena.head, "interpreter and state": arena.tail},
        "memory": memory_parts(graph, plan),
        "multiply_accumulates": {
            "per_step": multiplies_per_step(graph),
            "per_inference": sum(multiplies_per_sequence(graph).values()),
        },
        "layers": [
            {
                "name": layer.name,
                "fused": list(layer.op.fused()),
                "scratch_bytes": layer.scratch_bytes,
                "state_bytes": layer.state_bytes,
            }
            for layer in plan.layers
        ],
        "schedule": [type(node.op).__name__ for node in graph.nodes],
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
    console.print(f"expected on this core: {content['instructions'] / 1e6:.2f} M instructions")
    for layer in content["layers"]:
        fused = ", ".join(layer["fused"]) or "nothing"
        console.print(
            f"{layer['name']}: fused {fused}; scratch {layer['scratch_bytes']:,} bytes, "
            f"state {layer['state_bytes']:,} bytes"
        )
    memory = Table("memory of the generic library", "bytes")
    memory.columns[1].justify = "right"
    for name, nbytes in content["memory"].items():
        memory.add_row(name, f"{nbytes:,}")
    memory.add_row("in all", f"{sum(content['memory'].values()):,}")
    console.print(memory)
    arena = content["tflm_arena"]
    console.print(
        f"as a TFLM model: a tensor arena of {sum(arena.values()):,} bytes on a 32-bit core "
        f"({', '.join(f'{name} {nbytes:,}' for name, nbytes in arena.items())})"
    )
    letters = {b["name"]: chr(ord("a") + i % 26) for i, b in enumerate(content["arena"])}
    names = max(map(len, content["schedule"]), default=0)
    width = max(LEAST_WIDTH, min(WIDTH, console.width - names - 5))
    for step, name in enumerate(content["schedule"]):
        print(f"{step:3d} {_bar(content, step, letters, width)} {name}")
    for buffer in content["arena"]:
        print(
            f"    {letters[buffer['name']]} {buffer['name']}: {buffer['bytes']:,} bytes "
            f"at {buffer['offset']:,}"
        )


def _bar(content: dict[str, Any], step: int, letters: dict[str, str], width: int) -> str:
    total = max(content["memory"]["arena"], 1)
    cells = ["."] * width
    for buffer in content["arena"]:
        if buffer["first"] <= step <= buffer["last"]:
            begin = buffer["offset"] * width // total
            end = max(begin + 1, -(-(buffer["offset"] + buffer["bytes"]) * width // total))
            cells[begin:end] = [letters[buffer["name"]]] * (min(end, width) - begin)
    return "".join(cells)
