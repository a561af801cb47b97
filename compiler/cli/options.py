"""Arguments and options that several commands share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from scanlet.cli import completion
from scanlet.progress import shown

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on standard output, an error's included."),
]
Quiet = Annotated[
    bool,
    typer.Option("-q", "--quiet", help="No progress, warnings or explanations; errors remain."),
]
Project = Annotated[
    Path, typer.Argument(help="A project that `scanlet compile` wrote.", show_default=False)
]
Core = Annotated[
    str | None,
    typer.Option(
        help="Run as machine code on this emulated core, or one that stands for this board.",
        autocompletion=completion.cores,
    ),
]
Cores = Annotated[
    list[str] | None,
    typer.Option(
        help="Count instructions on this emulated core; may be repeated.",
        autocompletion=completion.cores,
    ),
]


@contextmanager
def working(*, quiet: bool, stages: int = 0) -> Iterator[None]:
    """Show the progress of the block, which has that many stages, and warnings; or neither."""
    with warnings.catch_warnings(), shown(enabled=not quiet, stages=stages):
        if quiet:
            warnings.simplefilter("ignore")
        yield


def split_names(values: list[str] | None) -> list[str]:
    """Of a repeated option whose values may also be joined by commas."""
    return [name for value in values or () for name in value.split(",") if name]
