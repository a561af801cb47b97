"""`scanlet report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import scanlet
from scanlet.cli.arrays import first_array
from scanlet.cli.options import Json, Project, split_names
from scanlet.errors import InputError


def report(
    project: Project,
    on: Annotated[
        list[str] | None,
        typer.Option(help="Count instructions on this emulated core; may be repeated."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help=".npy of samples (B, ...) to judge the model by.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="With --data: .npy of their classes (B,).")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace an edited report (backup kept).")] = False,
    as_json: Json = False,
) -> None:
    """Render a project's report.html again, with what is to be added to it."""
    from scanlet.reporting import write_report

    if (data is None) != (labels is None):
        raise InputError("--data and --labels belong together")
    compiled = scanlet.open(project)
    compiled.add_measurements(*split_names(on))
    if data is not None and labels is not None:
        compiled.evaluate(first_array(data), first_array(labels))
    write_report(compiled, project, force=force)
    print(json.dumps(compiled.report, indent=2) if as_json else project / "report.html")
