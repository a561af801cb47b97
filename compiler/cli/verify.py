"""`scanlet verify`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

import scanlet
from scanlet.cli.options import Json, Project


def verify(
    project: Project,
    on: Annotated[
        str | None, typer.Option(help="Run as machine code on this emulated core instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the stored golden inputs and compare with the outputs that PyTorch computed."""
    from scanlet.project_files import verify_golden

    results = verify_golden(scanlet.open(project), on=on)
    if as_json:
        print(json.dumps([vars(result) for result in results]))
    else:
        for result in results:
            word = "PASS" if result.passed else "FAIL"
            print(
                f"{word} golden {result.index}: largest error {result.max_error:.3g}, "
                f"{result.tolerance:.3g} accepted"
            )
    if not all(result.passed for result in results):
        raise typer.Exit(1)
