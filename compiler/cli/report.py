"""`scanlet report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scanlet
from scanlet.cli.arrays import first_array
from scanlet.cli.documents import print_json
from scanlet.cli.options import Cores, Json, Project, Quiet, split_names, working
from scanlet.errors import InputError
from scanlet.progress import stage


def report(
    project: Project,
    on: Cores = None,
    data: Annotated[
        Path | None, typer.Option(help=".npy of samples (B, ...) to judge the model by.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="With --data: .npy of their classes (B,).")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an edited report (backup kept).")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Render a project's report.html again, with counts or an accuracy added to it."""
    from scanlet.reporting import write_report

    if (data is None) != (labels is None):
        raise InputError("--data and --labels belong together")
    cores = split_names(on)
    with working(quiet=quiet, stages=len(cores) + (data is not None) + 1):
        compiled = scanlet.open(project)
        compiled.add_measurements(*cores)
        if data is not None and labels is not None:
            stage("evaluating")
            compiled.evaluate(first_array(data), first_array(labels))
        stage("rendering the report")
        write_report(compiled, project, force=force)
    if as_json:
        print_json(compiled.report)
    elif not quiet:
        print(project / "report.html")
