"""`scanlet bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import scanlet
from scanlet.cli import completion
from scanlet.cli.documents import print_json
from scanlet.cli.options import Json, Project, Quiet, split_names, working
from scanlet.progress import stage
from scanlet.targets import CORES


def bench(
    project: Project,
    on: Annotated[
        list[str] | None,
        typer.Option(
            help="Emulated cores (default: all); may be repeated.",
            autocompletion=completion.cores,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the figures to this .json.")
    ] = None,
    naive: Annotated[
        bool,
        typer.Option("--naive", help="Count a naive transcription in C too, and print the ratio."),
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Count what one inference costs on emulated cores: instructions and memory, not cycles."""
    from scanlet.cli.tables import print_measurements

    cores = split_names(on) or CORES
    with working(quiet=quiet, stages=len(cores) * (1 + naive)):
        compiled = scanlet.open(project)
        results = []
        for core in cores:
            stage(f"measuring on {core}")
            result = compiled.measure(on=core)
            results.append(result)
            if naive:
                stage(f"measuring a naive transcription on {core}")
                transcription = compiled.measure(on=core, naive=True)
                result["naive_instructions"] = transcription["instructions"]
                result["naive_ram_bytes"] = transcription["ram_bytes"]
    if output is not None:
        from scanlet.emit.durable import write_file

        write_file(output, (json.dumps(results, indent=2) + "\n").encode())
    if as_json:
        print_json(results)
    elif not (quiet and output):
        print_measurements(compiled.name, results)
