"""The `scanlet` command: the public functions from a shell. Here its commands are registered.

Exit codes: 0 it worked; 1 the model or the project is at fault (refused, deviates, damaged);
2 the call is at fault (unknown option or target, missing file, wrong shape, missing tool);
3 scanlet is (a defect: the traceback is on standard error); 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import scanlet
from scanlet.cli import bench, compile, device, doctor, inspect, report, run, targets, verify
from scanlet.cli.running import execute

__all__ = ["app", "main"]

app = typer.Typer(
    name="scanlet",
    help="Compile trained PyTorch state-space models for microcontrollers.\n\n"
    "Begin with `scanlet compile MODEL -o DIR`; `scanlet doctor` tells which tools are missing.",
    epilog="Exit codes: 0 success, 1 the model or project is at fault, 2 the call is at fault, 3 "
    "scanlet itself is (a defect).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # its paragraphs may have line breaks in the source
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(scanlet.__version__)
        raise typer.Exit


# In the order that `scanlet --help` shows. A group: `app.add_typer(<module>.app, name="...")`.
app.command("compile")(compile.compile_model)
app.command("run")(run.run)
app.command("verify")(verify.verify)
app.command("inspect")(inspect.inspect)
app.command("bench")(bench.bench)
app.command("report")(report.report)
app.command("targets")(targets.targets)
app.command("doctor")(doctor.doctor)
app.add_typer(device.app, name="device")


def main() -> None:
    """Entry point of the shell command."""
    sys.exit(execute(app, sys.argv[1:]))
