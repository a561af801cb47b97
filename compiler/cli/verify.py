"""`scanlet verify`."""

from __future__ import annotations

import typer

import scanlet
from scanlet.cli.documents import print_json
from scanlet.cli.options import Core, Json, Project, Quiet, working
from scanlet.progress import step


def verify(
    project: Project,
    on: Core = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run the samples stored in a project and compare with the outputs stored with them.

    Ends with exit code 1 if one differs by more than the project accepts.
    """
    from scanlet.project_files import verify_golden

    with working(quiet=quiet):
        step("opening the project")
        results = verify_golden(scanlet.open(project), on=on)
    if as_json:
        print_json([vars(result) for result in results])
    else:
        for result in results:
            if quiet and result.passed:
                continue
            word = "PASS" if result.passed else "FAIL"
            print(
                f"{word} golden {result.index}: largest error {result.max_error:.3g}, "
                f"{result.tolerance:.3g} accepted"
            )
    if not all(result.passed for result in results):
        raise typer.Exit(1)
