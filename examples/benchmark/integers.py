"""What int8 with an int16 state costs on each core, beside float32 and beside what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from examples.benchmark.networks import CORES, compile_network, console
from examples.precisions import verdict


@dataclass(frozen=True)
class Bars:
    """Instructions of one inference by core, bytes of RAM with everything counted, of flatbuffer.

    On every core int8 has to cost less than float32, also where no figure is asked for.
    """

    ram: int
    instructions: dict[str, int] = field(default_factory=dict)
    flatbuffer: int = 61_440


BARS = {
    "HAR 10x57": Bars(9_216, {"cortex-m7": 750_000}),
    "KWS 100x40": Bars(
        14_336,
        {
            "cortex-m7": 6_000_000,
            "cortex-m55": 2_000_000,
            "xtensa-fpu": 12_000_000,
            "rv32imc": 16_000_000,
        },
    ),
}


def integer_cost_by_core(name: str, floats: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Counts of the network compiled for each core itself: at the fastest plan, and within RAM.

    `floats` are the costs in float32, a mapping a core as `Compiled.measure` returns it.
    """
    bars = BARS[name]
    beside = {cost["core"]: cost for cost in floats}
    fast = Table(title=f"{name}: int8, int16 state, beside float32", title_justify="left")
    small = Table(
        title=f"{name}: int8, int16 state, within {bars.ram:,} bytes of RAM", title_justify="left"
    )
    fast.add_column("core", no_wrap=True)
    for column in ("T", "instructions", "float32", "of it, < 100 %", "bar", "RAM", "float32"):
        fast.add_column(column, justify="right", no_wrap=True)
    small.add_column("core", no_wrap=True)
    for column in ("T", "instructions", "RAM", "bar", "flatbuffer", "bar"):
        small.add_column(column, justify="right", no_wrap=True)
    rows = []
    for core in CORES:
        compiled = compile_network(name, target=core, precision="int8")
        size = len(compiled.tflite)
        common = {"network": name, "precision": "int8", "state": "int16", "flatbuffer_bytes": size}
        cost = compiled.measure(on=core)
        float32 = beside[core]
        share = cost["instructions"] / float32["instructions"]
        fast.add_row(
            core,
            str(cost["tile"]),
            f"{cost['instructions']:,}",
            f"{float32['instructions']:,}",
            f"{100 * share:.1f} %: {'met' if share < 1 else 'NOT MET'}",
            verdict(cost["instructions"], "<=", bars.instructions.get(core), ","),
            f"{cost['ram_bytes']:,}",
            f"{float32['ram_bytes']:,}",
        )
        fitted = compiled.measure(on=core, memory_limit=bars.ram)
        small.add_row(
            core,
            str(fitted["tile"]),
            f"{fitted['instructions']:,}",
            f"{fitted['ram_bytes']:,}",
            verdict(fitted["ram_bytes"], "<=", bars.ram, ","),
            f"{size:,}",
            verdict(size, "<=", bars.flatbuffer, ","),
        )
        rows.append({**common, "float32_instructions": float32["instructions"], **cost})
        rows.append({**common, "memory_limit": bars.ram, **fitted})
    console.print(fast)
    console.print(small)
    return rows
