"""`scanlet run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scanlet
from scanlet.cli.arrays import first_array, write_array
from scanlet.cli.documents import print_json
from scanlet.cli.options import Core, Json, Project, Quiet, working
from scanlet.progress import step


def run(
    project: Project,
    data: Annotated[
        Path,
        typer.Argument(
            help=".npy or .npz: a sample (1, ...), a batch (B, ...), or a stream's chunks."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the outputs to this .npy.")
    ] = None,
    on: Core = None,
    keep_plan: Annotated[
        bool,
        typer.Option(
            "--keep-plan", help="With --on: the project's own plan, not one made for the core."
        ),
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a project's model on samples: in the TFLM interpreter here, or on an emulated core."""
    with working(quiet=quiet):
        step("opening the project")
        compiled = scanlet.open(project)
        step("running the model")
        result = compiled.run(first_array(data), on=on, keep_plan=keep_plan)
    arrays = result if isinstance(result, tuple) else (result,)
    if output is not None:
        write_array(output, arrays[0])
    if as_json:
        print_json({"outputs": [array.tolist() for array in arrays]})
        return
    if quiet and output is not None:
        return
    from scanlet.cli.tables import print_outputs

    print_outputs(compiled, arrays)
