"""`scanlet inspect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import scanlet
from scanlet.cli.options import Json


def inspect(
    path: Annotated[Path, typer.Argument(help="A project or a .tflite file.", show_default=False)],
    plan: Annotated[
        bool, typer.Option("--plan", help="Show the generic library's memory over the schedule.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the operators, tensors and memory of a compiled model."""
    from scanlet.tables import inspection, print_inspection

    if plan:
        from scanlet.plan_picture import plan_content, print_plan

        shown = plan_content(scanlet.open(path))
        print(json.dumps(shown, indent=2)) if as_json else print_plan(shown)
        return
    content = inspection(path)
    if as_json:
        print(json.dumps(content, indent=2))
    else:
        print_inspection(content)
