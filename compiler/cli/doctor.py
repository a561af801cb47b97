"""`scanlet doctor`."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

import scanlet
from scanlet.cli.documents import print_json
from scanlet.cli.options import Json, Quiet, working

if TYPE_CHECKING:
    from scanlet.execution.diagnosis import Finding


def doctor(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Also try it all: import packages, run programs on every core."
        ),
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Tell which tools are there, what needs them, and how to get the rest.

    The exit code is 1 if something required is missing or broken, or if what is there fails when
    --check tries it; a missing optional tool is no failure.
    """
    from scanlet.execution.diagnosis import diagnose

    with working(quiet=quiet):
        findings = diagnose(check=check)
    failed = [one for one in findings if is_failure(one)]
    if as_json:
        print_json(content(findings))
    else:
        from scanlet.cli.doctor_tables import print_findings

        print_findings(failed if quiet else findings, checked=check)
    if failed:
        raise typer.Exit(1)


def is_failure(one: Finding) -> bool:
    """Whether the command fails for it."""
    return one.state != "ok" and (one.required or one.tried)


def content(findings: Sequence[Finding]) -> dict[str, Any]:
    """What --json prints."""
    return {
        "scanlet": scanlet.__version__,
        "platform": platform.platform(),
        "ok": not any(map(is_failure, findings)),
        "findings": [asdict(one) for one in findings],
    }
