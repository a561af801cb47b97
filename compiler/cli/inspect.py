"""`scanlet inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scanlet
from scanlet.cli.documents import print_json
from scanlet.cli.options import Json


def inspect(
    path: Annotated[Path, typer.Argument(help="A project or a .tflite file.", show_default=False)],
    plan: Annotated[
        bool, typer.Option("--plan", help="Show the generic library's memory over the schedule.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the operators, tensors and memory of a compiled model."""
    from scanlet.cli.tables import inspection, print_inspection

    if plan:
        from scanlet.cli.plan_picture import plan_content, print_plan

        shown = plan_content(scanlet.open(path))
        print_json(shown) if as_json else print_plan(shown)
        return
    content = inspection(path)
    if as_json:
        print_json(content)
    else:
        print_inspection(content)
