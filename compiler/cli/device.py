"""`scanlet device`: what a board at a serial port serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import scanlet
from scanlet.cli import completion
from scanlet.cli.arrays import first_array, write_array
from scanlet.cli.documents import print_json
from scanlet.cli.options import Json, Project, Quiet, working
from scanlet.errors import InputError
from scanlet.progress import step

app = typer.Typer(
    help="Talk with a board that serves a model on its serial port.", no_args_is_help=True
)

Port = Annotated[
    str | None,
    typer.Option(help="Serial port (/dev/ttyUSB0, COM3) or URL (socket://host:port)."),
]
Baud = Annotated[int, typer.Option(help="Bits a second, as the board's program sets it.")]
Timeout = Annotated[
    float, typer.Option(help="Seconds without an answer before a request is sent again.")
]


@app.command()
def info(
    port: Port = None, baud: Baud = 115200, timeout: Timeout = 1.0, as_json: Json = False
) -> None:
    """Show which model a board serves."""
    from scanlet.cli.device_tables import info_content, print_info

    with _connect(port, baud, timeout) as device:
        content = info_content(device.info)
    print_json(content) if as_json else print_info(content)


@app.command()
def run(
    data: Annotated[
        Path,
        typer.Argument(
            help=".npy or .npz: a sample (1, ...), a batch (B, ...), or a stream's chunks."
        ),
    ],
    port: Port = None,
    baud: Baud = 115200,
    timeout: Timeout = 1.0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the outputs to this .npy.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run samples on a board, from a clear state."""
    with _connect(port, baud, timeout) as device:
        result = device.run(*_inputs(data)[0])
        latencies = device.latencies_us
    arrays = result if isinstance(result, tuple) else (result,)
    if output is not None:
        write_array(output, arrays[0])
    if as_json:
        shown = {"outputs": [array.tolist() for array in arrays], "latency_us": latencies}
        print_json(shown)
        return
    from scanlet.cli.device_tables import print_run

    print_run(device.info, arrays, latencies)


@app.command()
def evaluate(
    project: Project,
    data: Annotated[
        Path,
        typer.Option(help=".npy of samples (B, ...), or .npz of them and of the classes `y`."),
    ],
    port: Port = None,
    labels: Annotated[Path | None, typer.Option(help=".npy of the samples' classes (B,).")] = None,
    baud: Baud = 115200,
    timeout: Timeout = 1.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many samples.")] = None,
    on: Annotated[
        str | None,
        typer.Option(
            help="Compare with the C library on this emulated core, bit by bit.",
            autocompletion=completion.cores,
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a set of samples on a board and here, and compare bit by bit.

    Ends with exit code 1 if the outputs differ: with TFLM on the board integers at all, with the
    plain C library by more than 2 steps; float32 by more than the project's tolerance.
    """
    from scanlet.execution.device.evaluation import evaluate_on_board

    compiled = scanlet.open(project)
    inputs, classes = _inputs(data)
    if labels is not None:
        classes = first_array(labels)
    inputs = [array[:limit] for array in inputs]
    classes = None if classes is None else classes[:limit]
    with working(quiet=quiet), _connect(port, baud, timeout) as device:
        result = evaluate_on_board(
            device,
            compiled,
            inputs,
            classes,
            on=on,
            progress=lambda done, of: step("evaluating on the board", done, of),
        )
    if as_json:
        print_json(result.as_dict())
    else:
        from scanlet.cli.device_tables import print_evaluation

        print_evaluation(result, compiled.labels)
    if not result.passed:
        raise typer.Exit(1)


@app.command()
def reset(
    port: Port = None, baud: Baud = 115200, timeout: Timeout = 1.0, as_json: Json = False
) -> None:
    """Clear the recurrent state of a board's model."""
    with _connect(port, baud, timeout) as device:
        device.reset()
    print_json({"reset": True}) if as_json else print("the state is clear")


@app.command()
def statistics(
    port: Port = None, baud: Baud = 115200, timeout: Timeout = 1.0, as_json: Json = False
) -> None:
    """Show what a board counted since it was started."""
    from scanlet.cli.device_tables import print_statistics

    with _connect(port, baud, timeout) as device:
        found = device.statistics()
    print_json(found) if as_json else print_statistics(found)


@app.command("self-test")
def self_test(
    port: Port = None, baud: Baud = 115200, timeout: Timeout = 1.0, as_json: Json = False
) -> None:
    """Let a board run the samples that are stored on it."""
    with _connect(port, baud, timeout) as device:
        result = device.self_test()
    if as_json:
        print_json({"samples": result.samples, "failed": result.failed})
    else:
        word = "PASS" if result.passed else "FAIL"
        print(f"self-test: {word} ({result.samples - result.failed} of {result.samples})")
    if not result.passed:
        raise typer.Exit(1)


def _connect(port: str | None, baud: int, timeout: float) -> scanlet.Device:
    if port is None:
        from scanlet.execution.device.link import serial_ports

        found = serial_ports()
        raise InputError(
            "which board? Give --port",
            hint=f"the serial ports of this machine: {', '.join(found) or 'none'}",
        )
    return scanlet.Device(port, baud, timeout=timeout)


def _inputs(path: Path) -> tuple[list[np.ndarray], np.ndarray | None]:
    """The model's inputs in order, and the classes `y` of an .npz that has them."""
    from scanlet.cli.model_source import load_arrays

    arrays = load_arrays(path)
    classes = arrays.pop("y", None) if len(arrays) > 1 else None
    if not arrays:
        raise InputError("holds no array", where=str(path))
    return list(arrays.values()), classes
