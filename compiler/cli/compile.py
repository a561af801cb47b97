"""`scanlet compile`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

import scanlet
from scanlet.api import compile_stages
from scanlet.cli import completion
from scanlet.cli.arrays import calibration_arrays, normalization_arrays
from scanlet.cli.command_text import command_text
from scanlet.cli.documents import print_json
from scanlet.cli.options import Json, Quiet, split_names, working
from scanlet.errors import InputError, ScanletWarning
from scanlet.progress import stage

#: Of the sensitivity table, after compiling; the report has all.
SHOWN_TENSORS = 12

# Headings in --help.
MODEL, TARGET, INTEGERS = "The model", "The target", "Integer precisions"
STREAM, CHECKS, OUTPUT = "Stream mode", "Verification", "Output"


def compile_model(
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
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Directory of the project; one that scanlet wrote is updated.",
            show_default=False,
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(
            help="State dict for the factory's model: .pt, .pth or .npz.", rich_help_panel=MODEL
        ),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            help="Board or core: `scanlet targets` lists them.",
            autocompletion=completion.targets,
            rich_help_panel=TARGET,
        ),
    ] = "esp32s3",
    precision: Annotated[
        str,
        typer.Option(
            help="float32, int8, or int16x8 (int8 weights, int16 activations); integers need "
            "--calibration.",
            autocompletion=completion.precisions,
            rich_help_panel=TARGET,
        ),
    ] = "float32",
    mode: Annotated[
        str,
        typer.Option(
            help="sequence: each run starts from zero state; stream: the state is carried from "
            "run to run.",
            autocompletion=completion.modes,
            rich_help_panel=STREAM,
        ),
    ] = "sequence",
    state: Annotated[
        str | None,
        typer.Option(
            help="int16 or float32: how an integer mixer holds its recurrent state (default: the "
            "target's choice).",
            autocompletion=completion.states,
            rich_help_panel=INTEGERS,
        ),
    ] = None,
    float_module: Annotated[
        list[str] | None,
        typer.Option(
            help="Path of a module that stays in float; may be repeated.", rich_help_panel=INTEGERS
        ),
    ] = None,
    observer: Annotated[
        str | None,
        typer.Option(
            help="How ranges of activations are chosen: minmax (default), percentile or mse.",
            autocompletion=completion.observers,
            rich_help_panel=INTEGERS,
        ),
    ] = None,
    input_shape: Annotated[
        str | None,
        typer.Option(
            help="Shape of the input with batch 1, as 1,128,9, if the model has none.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="JSON with a checkpoint's settings, if it has none.", rich_help_panel=MODEL
        ),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps of a checkpoint's input: of the sequence, or a chunk.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help=".npy or .npz of typical samples (B, ...) to quantize and verify with; with the "
            "classes `y` (B,) in the .npz the accuracy before and after is printed.",
            rich_help_panel=CHECKS,
        ),
    ] = None,
    normalization: Annotated[
        Path | None,
        typer.Option(
            help=".npz with `mean` and `std`, folded into the first layer: the compiled model "
            "takes raw values.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Class names in the order of the outputs, separated by commas.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(help="Steps a run (default: the input's).", rich_help_panel=STREAM),
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="What a mean over time is over: mean (all since the reset), exponential:STEPS, "
            "last (the newest step) or chunk.",
            autocompletion=completion.poolings,
            rich_help_panel=STREAM,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Prefix of the C symbols (default: from the model's class or file).",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    memory_limit: Annotated[
        int | None,
        typer.Option(
            help="Bytes of RAM that the model may take, arena and stack (default: the target's).",
            rich_help_panel=TARGET,
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Largest error relative to the outputs that is accepted (default: 1e-4, in int8 "
            "0.5, in int16x8 0.1).",
            rich_help_panel=CHECKS,
        ),
    ] = None,
    accept_deviation: Annotated[
        float | None,
        typer.Option(
            help="Compile mixers whose code deviates from the selective scan by no more than this.",
            rich_help_panel=CHECKS,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace files that were edited (a backup is kept).",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    component_only: Annotated[
        bool,
        typer.Option(
            "--component-only",
            help="Write only the operator component and the model, for a firmware of your own.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="Count instructions on this emulated core for the report; may be repeated.",
            autocompletion=completion.cores,
            rich_help_panel=CHECKS,
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compile a trained model, verify it against PyTorch, and write a complete project.

    With --json the document is the content of the project's report.json.
    """
    from scanlet.cli.model_source import load_model

    if precision in ("int8", "int16x8") and calibration is None:
        raise InputError(
            f"--precision {precision} needs --calibration",
            hint="give a .npy of some hundred typical inputs, samples along the first axis",
        )
    if input_shape is not None and length is not None:
        raise InputError("--input-shape is not for a checkpoint, whose width is known")
    shape = _parse_shape(input_shape) if input_shape is not None else None
    cores = split_names(measure)
    stages = 2 + compile_stages(precision) + len(cores)
    with working(quiet=quiet, stages=stages), warnings.catch_warnings():
        warnings.simplefilter("ignore", ScanletWarning)  # they are in the table
        stage("loading the model")
        statistics = normalization_arrays(normalization) if normalization is not None else None
        samples, classes = calibration_arrays(calibration) if calibration else (None, None)
        compiled = scanlet.compile(
            load_model(model, weights, config, length),
            _example(shape),
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
            progress=not quiet,
        )
        compiled.report["reproduce"]["command"] = command_text(context)
        compiled.add_measurements(*cores)
        stage("writing the project")
        compiled.save(output, force=force, component_only=component_only)
    if as_json:
        print_json(compiled.report)
    elif not quiet:
        _print(compiled, output)


def _print(compiled: scanlet.Compiled, output: Path) -> None:
    from scanlet.cli.summary_table import print_summary
    from scanlet.quantization.sensitivity import print_sensitivity

    if compiled.quantized is not None:
        print_sensitivity(compiled.quantized.sensitivity, limit=SHOWN_TENSORS)
    print_summary(compiled, output)


def _example(shape: tuple[int, ...] | None) -> Any:
    if shape is None:
        return None
    import torch

    return (torch.zeros(shape),)


def _parse_shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise InputError(f"--input-shape {text!r} is not a shape", hint="for example 1,128,9")
    return shape
