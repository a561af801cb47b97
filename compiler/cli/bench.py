"""`scanlet bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import scanlet
from scanlet.cli.options import Json, Project
from scanlet.targets import CORES


def bench(
    project: Project,
    on: Annotated[
        list[str] | None, typer.Option(help="Emulated cores (default: all); may be repeated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the figures to this .json.")
    ] = None,
    naive: Annotated[
        bool, typer.Option(help="Count a naive transcription in C too, and print the ratio.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Count what one inference costs on emulated cores: instructions and memory, not cycles."""
    from scanlet.tables import print_measurements

    compiled = scanlet.open(project)
    results = [compiled.measure(on=core) for core in on or CORES]
    if naive:
        for result in results:
            transcription = compiled.measure(on=result["core"], naive=True)
            result["naive_instructions"] = transcription["instructions"]
            result["naive_ram_bytes"] = transcription["ram_bytes"]
    text = json.dumps(results, indent=2)
    if output is not None:
        from scanlet.emit.durable import write_file

        write_file(output, (text + "\n").encode())
    if as_json:
        print(text)
    else:
        print_measurements(compiled.name, results)
