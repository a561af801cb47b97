"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Project = Annotated[
    Path, typer.Argument(help="A project that `scanlet compile` wrote.", show_default=False)
]


def split_names(values: list[str] | None) -> list[str]:
    """Of a repeated option whose values may also be joined by commas."""
    return [name for value in values or () for name in value.split(",") if name]
