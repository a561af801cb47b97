"""Count what one inference costs on emulated cores: python -m examples.benchmark.run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.table import Table

from examples.benchmark.integers import integer_cost_by_core
from examples.benchmark.networks import CORES, NETWORKS, compile_network, console
from examples.benchmark.report import print_report_figures
from examples.benchmark.streams import stream_memory

LENGTHS = (10, 100, 1000)


def cost_by_core(name: str) -> list[dict[str, Any]]:
    compiled = compile_network(name)
    table = Table(title=f"{name}: one inference in float32", title_justify="left")
    table.add_column("core", no_wrap=True)
    for column in ("T", "instructions", "loads", "stores", "code", "stack", "RAM", "naive C"):
        table.add_column(column, justify="right", no_wrap=True)
    rows = []
    for core in CORES:
        cost = compiled.measure(on=core)
        cost["naive_instructions"] = compiled.measure(on=core, naive=True)["instructions"]
        naive = f"x{cost['naive_instructions'] / cost['instructions']:.2f}"
        keys = ("instructions", "loads", "stores", "text_bytes", "stack_bytes", "ram_bytes")
        table.add_row(core, str(cost["tile"]), *(f"{cost[key]:,}" for key in keys), naive)
        rows.append({"network": name, "precision": "float32", **cost})
    console.print(table)
    return rows


def smallest_memory(name: str, limit: int) -> dict[str, Any]:
    """The plan that fits `limit` bytes of RAM, everything counted, on a Cortex-M7."""
    cost = compile_network(name).measure(on="cortex-m7", memory_limit=limit)
    console.print(
        f"{name} within {limit:,} bytes: {cost['ram_bytes']:,} bytes of RAM with time tiles of "
        f"{cost['tile']} (input {cost['input_bytes']:,}, library {cost['static_bytes']:,}, "
        f"output {cost['output_bytes']:,}, stack {cost['stack_bytes']:,})"
    )
    return {"network": name, "memory_limit": limit, **cost}


def cost_by_length(name: str) -> list[dict[str, Any]]:
    table = Table(title=f"{name.split()[0]} on cortex-m7 by length", title_justify="left")
    columns = ("L", "instructions", "a step", "RAM", "of it input", "flatbuffer")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    rows = []
    for length in LENGTHS:
        compiled = compile_network(name, length)
        cost = compiled.measure(on="cortex-m7")
        table.add_row(
            str(length),
            f"{cost['instructions']:,}",
            f"{cost['instructions'] / length:,.0f}",
            f"{cost['ram_bytes']:,}",
            f"{cost['input_bytes']:,}",
            f"{len(compiled.tflite):,}",
        )
        rows.append({"network": name, "length": length, **cost})
    console.print(table)
    return rows


def step_cost_by_length(name: str) -> list[dict[str, Any]]:
    """Instructions of one inference divided by its length, for every core."""
    title = f"{name.split()[0]}: instructions a step by length"
    table = Table(title=title, title_justify="left")
    for column in ("core", *(f"L = {length}" for length in LENGTHS)):
        table.add_column(column, justify="left" if column == "core" else "right", no_wrap=True)
    compiled = [compile_network(name, length) for length in LENGTHS]
    rows = []
    for core in CORES:
        counts = [one.measure(on=core)["instructions"] for one in compiled]
        steps = [count / length for count, length in zip(counts, LENGTHS, strict=True)]
        table.add_row(core, *(f"{step:,.0f}" for step in steps))
        rows += [
            {"network": name, "core": core, "length": length, "instructions_a_step": step}
            for length, step in zip(LENGTHS, steps, strict=True)
        ]
    console.print(table)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.benchmark.run", description="Cost of an inference on cores."
    )
    parser.add_argument("-o", "--output", type=Path, help="write all figures to this .json")
    arguments = parser.parse_args()
    figures: list[dict[str, Any]] = []
    for name in NETWORKS:
        floats = cost_by_core(name)
        figures += floats + integer_cost_by_core(name, floats)
    figures.append(smallest_memory("HAR 10x57", 16384))
    figures.append(smallest_memory("KWS 100x40", 32768))
    figures += stream_memory("KWS 100x40")
    figures += cost_by_length("KWS 100x40")
    figures += step_cost_by_length("KWS 100x40")
    figures.append(print_report_figures())
    console.print("Instructions, not cycles; sizes in bytes; fused multiply-adds where there are.")
    if arguments.output is not None:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
