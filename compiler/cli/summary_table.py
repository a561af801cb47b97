"""What `scanlet compile` prints at its end: what came out, how far to trust it, what is next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from scanlet.compiled import Compiled


def print_summary(compiled: Compiled, directory: Path) -> None:
    """Sizes, expected work, agreement with PyTorch, where the project lies, and next commands."""
    report = compiled.report
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows(compiled, directory):
        table.add_row(name, Text(text))
    console = Console()
    console.print(
        f"[bold]{escape(compiled.name)}[/bold] compiled for {compiled.target.name}, "
        f"{compiled.precision}, {compiled.mode} mode",
        highlight=False,
    )
    console.print(table)
    for warning in report["warnings"]:
        console.print(f"[yellow]warning[/yellow] {escape(warning)}")
    console.print("next")
    for command in next_commands(compiled, directory):
        # A command is copied: the terminal may wrap it, it does not get line breaks.
        console.print(f"  {command}", markup=False, highlight=False, soft_wrap=True)


def rows(compiled: Compiled, directory: Path) -> Iterator[tuple[str, str]]:
    """The table's rows, (name, text)."""
    report = compiled.report
    target, arena = compiled.target, report["arena"]
    flatbuffer = report["sizes"]["flatbuffer_bytes"]
    yield "target", target.description
    yield "operators", ", ".join(_counted([op["name"] for op in report["operators"]]))
    yield "flatbuffer", f"{flatbuffer:,} bytes, {_share(flatbuffer, target.flash_bytes)} of flash"
    yield (
        "tensor arena",
        f"{arena['needed_bytes']:,} bytes needed, {arena['reserved_bytes']:,} reserved, "
        f"{_share(arena['reserved_bytes'], target.ram_bytes)} of RAM",
    )
    yield from _work(report, target.core)
    yield from _agreement(report)
    yield from _integers(report)
    yield "project", str(directory)
    if (directory / "report.html").is_file():
        yield "report", str(directory / "report.html")


def next_commands(compiled: Compiled, directory: Path) -> list[str]:
    """What a person would do now: run it elsewhere than here, then build it for the board."""
    target, core = compiled.target, compiled.target.core
    commands = [f"scanlet verify {_quoted(directory)} --on {core}"] if core else []
    if target.project == "esp-idf" and (directory / "main").is_dir():
        idf = f"idf.py -C {_quoted(directory)}"
        commands.append(f"{idf} set-target {target.idf_target} build flash monitor")
    elif (directory / "CMakeLists.txt").is_file():
        build = _quoted(directory / "build")
        commands.append(f"cmake -S {_quoted(directory)} -B {build} && cmake --build {build}")
    return commands or [f"scanlet verify {_quoted(directory)}"]


def _work(report: dict[str, Any], core: str | None) -> Iterator[tuple[str, str]]:
    """Instructions an inference: as counted, else as the cost model expects them."""
    counted = report["measurements"]
    expected = [row for row in report["expected"] if row["core"] == core and row["instructions"]]
    for row in counted or expected:
        about = "" if counted else "about "
        how = "counted" if counted else "expected"
        each = f", {row['per_step']:,} a step" if report["steps"] > 1 else ""
        yield (
            "instructions",
            f"{about}{row['instructions']:,} an inference{each} ({how} on {row['core']})",
        )


def _agreement(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    checked = report["verification"]
    yield (
        "against PyTorch",
        f"largest error {checked['max_error']:.3g}, mean {checked['mean_error']:.3g} "
        f"({checked['samples']} samples on {checked['ran_on']})",
    )
    if checked["label_agreement"] is not None:
        yield "same label as PyTorch", f"{checked['label_agreement']:.2%}"
    if checked["accuracy"] is not None:
        before, after = checked["accuracy"]["pytorch"], checked["accuracy"]["compiled"]
        yield "accuracy", f"{before:.2%} in PyTorch, {after:.2%} compiled"


def _integers(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    made = report["quantization"]
    if made is None:
        return
    yield "precision", f"{report['precision']}, recurrent state {made['state']}"
    yield "ranges", f"of the calibration data, {made['observer']}"
    islands = [
        f"{', '.join(island['modules'] or island['nodes'])} ({'; '.join(island['reasons'])})"
        for island in made["islands"]
    ]
    yield "in float32", "\n".join(islands) or "nothing"


def _counted(names: list[str]) -> list[str]:
    """Each name once, in order, with how often it occurs where that is more than once."""
    return [
        name if names.count(name) == 1 else f"{names.count(name)} x {name}"
        for name in dict.fromkeys(names)
    ]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
