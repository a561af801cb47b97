"""`scanlet run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import scanlet
from scanlet.cli.arrays import first_array
from scanlet.cli.options import Json, Project
from scanlet.errors import InputError


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
    on: Annotated[
        str | None, typer.Option(help="Run as machine code on this emulated core instead.")
    ] = None,
    keep_plan: Annotated[bool, typer.Option(help="With --on: do not plan again.")] = False,
    as_json: Json = False,
) -> None:
    """Run a project's model on the TFLM interpreter of this machine, or on an emulated core."""
    compiled = scanlet.open(project)
    result = compiled.run(first_array(data), on=on, keep_plan=keep_plan)
    arrays = result if isinstance(result, tuple) else (result,)
    if output is not None:
        try:
            np.save(output, arrays[0])
        except OSError as error:
            raise InputError(f"cannot write: {error}", where=str(output)) from error
    if as_json:
        print(json.dumps({"outputs": [array.tolist() for array in arrays]}))
        return
    from scanlet.tables import print_outputs

    print_outputs(compiled, arrays)
