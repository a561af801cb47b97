"""`scanlet compile`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

import scanlet
from scanlet.cli.arrays import calibration_arrays
from scanlet.cli.options import Json, split_names
from scanlet.command_text import command_text
from scanlet.errors import InputError

#: Of the sensitivity table, after compiling; the report has all.
SHOWN_TENSORS = 12


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
        samples, classes = calibration_arrays(calibration)
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
    compiled.add_measurements(*split_names(measure))
    compiled.save(output, force=force, component_only=component_only)
    if as_json:
        print(json.dumps(compiled.report, indent=2))
        return
    from scanlet.tables import print_summary

    print_summary(compiled, output)
    if compiled.quantized is not None:
        from scanlet.quantization.sensitivity import print_sensitivity

        print_sensitivity(compiled.quantized.sensitivity, limit=SHOWN_TENSORS)


def _parse_shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise InputError(f"--input-shape {text!r} is not a shape", hint="for example 1,128,9")
    return shape
