"""The `scanlet` command: the public functions from a shell.

Exit codes: 0 it worked; 1 the model or the project is at fault (refused, deviates, damaged);
2 the call is at fault (unknown option or target, missing file, wrong shape, missing tool).
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import scanlet
from scanlet.command_text import command_text
from scanlet.errors import InputError, MissingToolError, ScanletError, TargetError
from scanlet.targets import ALL, CORES

app = typer.Typer(
    name="scanlet",
    help="Compile trained PyTorch state-space models for microcontrollers.",
    epilog="Exit codes: 0 success, 1 the model or project is at fault, 2 the call is at fault.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
#: Of the sensitivity table, after compiling; the report has all.
SHOWN_TENSORS = 12
CALL_ERRORS = (InputError, MissingToolError, TargetError)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Project = Annotated[
    Path, typer.Argument(help="A project that `scanlet compile` wrote.", show_default=False)
]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(scanlet.__version__)
        raise typer.Exit


@app.command("compile")
def compile_command(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A .pt2 file; a checkpoint (a Hugging Face or mamba_ssm folder, .safetensors, "
            ".pt, .bin); or package.module:factory for a function that returns the model.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Directory of the project.", show_default=False)
    ],
    weights: Annotated[
        Path | None, typer.Option(help="State dict for the factory's model: .pt, .pth or .npz.")
    ] = None,
    target: Annotated[str, typer.Option(help="See `scanlet targets`.")] = "esp32s3",
    precision: Annotated[
        str, typer.Option(help="float32, int8 or int16x8; integers need --calibration.")
    ] = "float32",
    mode: Annotated[str, typer.Option(help="sequence, or stream (state is carried).")] = "sequence",
    state: Annotated[
        str | None,
        typer.Option(help="int16 or float32: how an integer mixer holds its recurrent state."),
    ] = None,
    float_module: Annotated[
        list[str] | None,
        typer.Option(help="Path of a module that stays in float; may be repeated."),
    ] = None,
    observer: Annotated[
        str | None,
        typer.Option(help="Ranges of integer activations: minmax (default), percentile or mse."),
    ] = None,
    input_shape: Annotated[
        str | None,
        typer.Option(help="Shape of the input with batch 1, as 1,128,9, if the model has none."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="JSON with a checkpoint's settings, if it has none.")
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(min=1, help="Steps of a checkpoint's input: of the sequence, or a chunk."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help=".npy or .npz of samples (B, ...) to quantize and verify with; with the classes "
            "`y` (B,) in the .npz the accuracy before and after is printed."
        ),
    ] = None,
    normalization: Annotated[
        Path | None, typer.Option(help=".npz with `mean` and `std`, folded into the first layer.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Class names, separated by commas.")] = None,
    chunk: Annotated[
        int | None, typer.Option(help="Stream mode: steps a run (default: the input's).")
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="Stream mode: what a mean over time is over; mean, exponential:STEPS, last, chunk."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Prefix of the C symbols.")] = None,
    memory_limit: Annotated[int | None, typer.Option(help="Bytes of RAM for the arena.")] = None,
    tolerance: Annotated[float | None, typer.Option(help="Largest relative error.")] = None,
    accept_deviation: Annotated[
        float | None,
        typer.Option(help="Largest deviation of a mixer's code from the selective scan."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace edited files (a backup is kept).")] = False,
    component_only: Annotated[
        bool, typer.Option(help="Write only the operator component and the model.")
    ] = False,
    measure: Annotated[
        list[str] | None,
        typer.Option(help="Count instructions on this emulated core for the report; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compile a trained model and write a complete project."""
    from scanlet.model_source import load_arrays, load_model

    if precision in ("int8", "int16x8") and calibration is None:
        raise InputError(
            f"--precision {precision} needs --calibration",
            hint="give a .npy of some hundred typical inputs, samples along the first axis",
        )
    example: Any = None
    if input_shape is not None:
        if length is not None:
            raise InputError("--input-shape is not for a checkpoint, whose width is known")
        import torch

        example = (torch.zeros(_parse_shape(input_shape)),)
    statistics = None
    if normalization is not None:
        arrays = load_arrays(normalization)
        if not {"mean", "std"} <= arrays.keys():
            raise InputError(f"has {sorted(arrays)}, not mean and std", where=str(normalization))
        statistics = (arrays["mean"], arrays["std"])
    samples, classes = None, None
    if calibration is not None:
        samples, classes = _calibration(calibration)
    compiled = scanlet.compile(
        load_model(model, weights, config, length),
        example,
        target=target,
        precision=precision,
        mode=mode,
        chunk=chunk,
        pooling=pooling,
        state=state,
        float_modules=float_module or (),
        observer=observer,
        calibration_labels=classes,
        memory_limit=memory_limit,
        normalization=statistics,
        labels=labels.split(",") if labels else None,
        name=name,
        tolerance=tolerance,
        accept_deviation=accept_deviation,
        calibration_data=samples,
    )
    compiled.report["reproduce"]["command"] = command_text(context)
    compiled.add_measurements(*_names(measure))
    compiled.save(output, force=force, component_only=component_only)
    if as_json:
        print(json.dumps(compiled.report, indent=2))
        return
    from scanlet.tables import print_summary

    print_summary(compiled, output)
    if compiled.quantized is not None:
        from scanlet.quantization.sensitivity import print_sensitivity

        print_sensitivity(compiled.quantized.sensitivity, limit=SHOWN_TENSORS)


@app.command()
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
    result = compiled.run(_first_array(data), on=on, keep_plan=keep_plan)
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


@app.command()
def verify(
    project: Project,
    on: Annotated[
        str | None, typer.Option(help="Run as machine code on this emulated core instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the stored golden inputs and compare with the outputs that PyTorch computed."""
    from scanlet.project_files import verify_golden

    results = verify_golden(scanlet.open(project), on=on)
    if as_json:
        print(json.dumps([vars(result) for result in results]))
    else:
        for result in results:
            word = "PASS" if result.passed else "FAIL"
            print(
                f"{word} golden {result.index}: largest error {result.max_error:.3g}, "
                f"{result.tolerance:.3g} accepted"
            )
    if not all(result.passed for result in results):
        raise typer.Exit(1)


@app.command()
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


@app.command()
def bench(
    project: Project,
    on: Annotated[
        list[str] | None, typer.Option(help="Emulated cores (default: all); may be repeated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the figures to this .json.")
    ] = None,
    naive: Annotated[
        bool, typer.Option(help="Count a naive transcription in C too, and print the ratio.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Count what one inference costs on emulated cores: instructions and memory, not cycles."""
    from scanlet.tables import print_measurements

    compiled = scanlet.open(project)
    results = [compiled.measure(on=core) for core in on or CORES]
    if naive:
        for result in results:
            transcription = compiled.measure(on=result["core"], naive=True)
            result["naive_instructions"] = transcription["instructions"]
            result["naive_ram_bytes"] = transcription["ram_bytes"]
    text = json.dumps(results, indent=2)
    if output is not None:
        try:
            output.write_text(text + "\n")
        except OSError as error:
            raise InputError(f"cannot write: {error}", where=str(output)) from error
    if as_json:
        print(text)
    else:
        print_measurements(compiled.name, results)


@app.command()
def report(
    project: Project,
    on: Annotated[
        list[str] | None,
        typer.Option(help="Count instructions on this emulated core; may be repeated."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help=".npy of samples (B, ...) to judge the model by.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="With --data: .npy of their classes (B,).")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace an edited report (backup kept).")] = False,
    as_json: Json = False,
) -> None:
    """Render a project's report.html again, with what is to be added to it."""
    from scanlet.reporting import write_report

    if (data is None) != (labels is None):
        raise InputError("--data and --labels belong together")
    compiled = scanlet.open(project)
    compiled.add_measurements(*_names(on))
    if data is not None and labels is not None:
        compiled.evaluate(_first_array(data), _first_array(labels))
    write_report(compiled, project, force=force)
    print(json.dumps(compiled.report, indent=2) if as_json else project / "report.html")


@app.command()
def targets(as_json: Json = False) -> None:
    """List the targets."""
    if as_json:
        print(json.dumps({name: asdict(target) for name, target in ALL.items()}, indent=2))
        return
    from scanlet.tables import print_targets

    print_targets()


def _parse_shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise InputError(f"--input-shape {text!r} is not a shape", hint="for example 1,128,9")
    return shape


def _names(values: list[str] | None) -> list[str]:
    """Of a repeated option whose values may also be joined by commas."""
    return [name for value in values or () for name in value.split(",") if name]


def _calibration(path: Path) -> tuple[list[np.ndarray], np.ndarray | None]:
    """The samples, each (1, ...), `x` or the first array, and their classes, `y` if it is there."""
    from scanlet.model_source import load_arrays

    arrays = load_arrays(path)
    classes = arrays.pop("y", None) if len(arrays) > 1 else None
    if not arrays:
        raise InputError("holds no array", where=str(path))
    samples = arrays.get("x", next(iter(arrays.values())))
    return [row[np.newaxis] for row in samples], classes


def _first_array(path: Path) -> np.ndarray:
    from scanlet.model_source import load_arrays

    arrays = load_arrays(path)
    if not arrays:
        raise InputError("holds no array", where=str(path))
    return next(iter(arrays.values()))


def main() -> None:
    """Entry point: run the command, print an error of ours without a traceback."""
    try:
        app()
    except ScanletError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, CALL_ERRORS) else 1)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
