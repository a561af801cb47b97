"""The public functions: compile a PyTorch model, open a saved project."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scanlet.compilation.deviation import change_of, check_accepted, deviation_warnings
from scanlet.compilation.integer_options import checked_classes, unfused
from scanlet.compilation.near_misses import near_miss_warnings
from scanlet.compilation.one_thread import one_thread
from scanlet.compilation.standardization import along_features, standardized
from scanlet.compilation.verifying import stream_reference, verify_compiled
from scanlet.compiled import Compiled, Golden
from scanlet.errors import (
    CalibrationError,
    InputError,
    MissingToolError,
    TargetError,
)
from scanlet.execution.samples import Sample, as_samples, check_tokens, random_samples
from scanlet.graph import Graph
from scanlet.passes import ExponentialMean, Stream, StreamShape, as_pooling
from scanlet.passes.extents import Extent
from scanlet.planning.planner import Alternative, Choice, choices, first_fit
from scanlet.planning.tflm_arena import POINTERS_64, device_margin, predict_arena, ram_parts
from scanlet.progress import shown, stage, step
from scanlet.quantization.observers import OBSERVERS
from scanlet.quantization.quantize import quantize
from scanlet.targets import Target, find

PRECISIONS = ("float32", "int8", "int16x8")
MODES = ("sequence", "stream")
STATES = ("int16", "float32")
VERIFICATION_SAMPLES = 8
#: Chunks of a sample, where chunks are as long as the example.
VERIFICATION_CHUNKS = 4


def compile(
    model: Any,
    example_inputs: Any = None,
    *,
    target: str | Target = "esp32s3",
    precision: str = "float32",
    calibration_data: Iterable[Any] | None = None,
    mode: str = "sequence",
    chunk: int | None = None,
    pooling: str | ExponentialMean | None = None,
    state: str | None = None,
    float_modules: Sequence[str] = (),
    observer: str | None = None,
    calibration_labels: Sequence[int] | np.ndarray | None = None,
    memory_limit: int | None = None,
    normalization: tuple[Any, Any] | None = None,
    labels: Sequence[str] | None = None,
    name: str | None = None,
    tolerance: float | None = None,
    accept_deviation: float | None = None,
    progress: bool = True,
    output_dir: str | Path | None = None,
) -> Compiled:
    """Compile a trained model for a microcontroller and verify the result against PyTorch.

    Args:
        model: an `nn.Module` in eval mode, a `torch.export.ExportedProgram`, or a path to a .pt2.
        example_inputs: a tensor or a tuple of tensors with a batch dimension of 1; fixes the
            shapes. Taken from `model.example_input_array` or the ExportedProgram when absent.
        target: a name (see `scanlet targets`) or a `scanlet.Target`.
        precision: "float32", "int8", or "int16x8" (int8 weights, int16 activations).
        calibration_data: samples (each a tensor with its batch dimension of 1, or a tuple). An
            integer precision derives its ranges from them, some hundred typical ones; the result
            is verified with them. Random ones verify float32 when absent. For stream mode each
            is a stream from its start, of any number of chunks.
        mode: "sequence": each run starts from zero state; "stream": one run a chunk, the state
            is carried until `reset`, and however a stream is cut, its outputs are the same bits.
        chunk: steps a run in stream mode (default: as many as the example input has). The example
            may be longer; it then shows what mixes time.
        pooling: what a mean over time is over in stream mode: "mean" (all steps since the reset),
            "exponential:STEPS" or `ExponentialMean(STEPS)`, "last" (the newest step), or "chunk"
            (each chunk for itself). Has no default.
        state: how an integer mixer holds its recurrent state: "int16", with a scale for each
            channel and state, or "float32", with the recurrence in float; the target's choice
            when absent.
        float_modules: paths of modules that stay in float at an integer precision.
        observer: how an integer precision derives the ranges of activations: "minmax" (all that
            calibration saw, the default), "percentile" (all but 0.01 % at each end) or "mse" (the
            least squared error in int8). The model's outputs are never clipped.
        calibration_labels: the right class of each calibration sample, as a number: the report
            then states the accuracy of PyTorch and of the compiled model on them.
        memory_limit: bytes of RAM, everything counted (the tensor arena as the project reserves
            it, and stack); fusion extent and time tile are chosen to fit.
        normalization: (mean, std) of the raw input's features, folded into the first layer: the
            compiled model then takes raw values.
        labels: class names, in the order of the outputs.
        name: prefix of the C symbols, so that two models link into one firmware.
        tolerance: largest error accepted relative to the outputs' magnitude (default 1e-4 for
            float32, 0.5 for int8, 0.1 for int16x8).
        accept_deviation: compile mixers whose code is not the selective scan, such as chunked
            scans with clamps, as the true recurrence, if they deviate by no more than this from
            it (relative to their largest output). The result is verified against the model with
            the true recurrence; the report states how far that is from the original.
        progress: show the steps on standard error when it is a terminal.
        output_dir: write the whole project there (as `Compiled.save`).

    Raises:
        ScanletError: one of its subclasses, saying what was found, where, and what to do.
    """
    given = dict(locals())
    from scanlet import frontend, passes

    chosen = find(target)
    float_modules = (float_modules,) if isinstance(float_modules, str) else tuple(float_modules)
    _check_choice("precision", precision, PRECISIONS)
    _check_choice("mode", mode, MODES)
    how = _stream(mode, chunk, pooling)
    _check_integer_options(precision, calibration_data, state, float_modules, observer)
    if memory_limit is not None and memory_limit <= 0:
        raise InputError(f"memory_limit is {memory_limit}; it is a positive number of bytes")
    check_accepted(accept_deviation)
    symbol = _symbol(name, model)
    stages = compile_stages(precision) + (output_dir is not None)
    with shown(enabled=progress, stages=stages), one_thread():
        stage("capturing the model")
        capture = frontend.capture(model, example_inputs, accept_deviation=accept_deviation)
        graph, reference, original = capture.graph, capture.reference, capture.original
        statistics = None
        if normalization is not None:
            mean, std = normalization
            graph = passes.fold_normalization(graph, mean, std)
            statistics = (along_features(mean, capture.graph), along_features(std, capture.graph))
            reference = standardized(reference, *statistics)
            original = original and standardized(original, *statistics)
        stage("optimizing the graph")
        stream = passes.stream_shape(graph, how) if how else None
        extents = passes.extents(graph, mode=mode, how=how)
        if float_modules:  # what is fused with a neighbour cannot be left in float by itself
            extents = [unfused(extents, graph, float_modules, mode, how)]
        names = _labels(labels, extents[0].graph)
        samples = _samples(calibration_data, extents[0].graph, statistics, stream)
        classes = checked_classes(calibration_labels, len(samples), calibration_data is not None)
        capture_reference = reference
        if how and stream:
            reference = stream_reference(reference, extents[0].graph, how, stream)
        quantized = None
        if precision != "float32":
            stage("quantizing")
            quantized = quantize(
                extents[0].graph,
                samples,
                precision=precision,
                state=state or chosen.state,
                float_modules=float_modules,
                observer=observer or OBSERVERS[0],
                stream=stream,
            )
            extents = [Extent(extents[0].fusion, quantized.graph)]
        compiled = _fit(extents, chosen, precision, mode, symbol, memory_limit)
        compiled.stream, compiled.how = stream, how
        compiled.source = graph if quantized is None else quantized.graph
        compiled.quantized, compiled.labels = quantized, names
        compiled.warnings += near_miss_warnings(capture.mixers, stacklevel=2)
        compiled.warnings += quantized.warnings if quantized else ()
        stage("verifying against PyTorch")
        verify_compiled(compiled, reference, samples, tolerance, classes)
        from scanlet.emit.report.content.reproduce import call_text
        from scanlet.emit.summary import summarize

        changed = None
        if original is not None:
            whole = samples if stream is None else _samples(None, graph, statistics, None)
            changed = change_of(capture_reference, original, whole)
            compiled.warnings += deviation_warnings(capture.mixers, changed)
        step("summing up")
        compiled.report = summarize(
            compiled,
            capture.mixers,
            changed,
            captured=graph,
            extents=extents,
            memory_limit=memory_limit,
            call=call_text(compile, given),
        )
        if output_dir is not None:
            stage("writing the project")
            compiled.save(output_dir)
    return compiled


def open(directory: str | Path) -> Compiled:
    """Open a project that `Compiled.save` wrote. Raises ModelFileError if it is damaged."""
    from scanlet import project_files

    return project_files.load(Path(directory))


def compile_stages(precision: str) -> int:
    """How many stages of progress `compile` tells of, without the writing."""
    return 4 if precision == "float32" else 5


def build(choice: Choice, *, precision: str = "float32", mode: str, name: str) -> Compiled:
    """Emit the flatbuffer and the operator's sources of a chosen plan (no verification yet)."""
    from scanlet.emit.flatbuffer import write_model
    from scanlet.emit.flatbuffer_reader import validate
    from scanlet.emit.operator_source import render_component
    from scanlet.graph.operators import Unary

    graph, plan = choice.graph, choice.plan
    tflite = write_model(graph, plan.layers, description=f"scanlet: {name}")
    validate(tflite)
    uses_gelu = any(isinstance(n.op, Unary) and n.op.kind == "gelu" for n in graph.nodes)
    component: dict[str, str] = {}
    if plan.layers or uses_gelu:
        component = render_component(
            plan.layers, name=name, uses_gelu=uses_gelu, target=plan.target
        )
    return Compiled(
        name=name,
        target=plan.target,
        precision=precision,
        mode=mode,
        labels=(),
        tflite=tflite,
        component=component,
        golden=Golden((), (), 0.0),
        report={},
        extents=(choice.extent,),
        plan=plan,
    )


def _fit(
    extents: Sequence[Extent],
    target: Target,
    precision: str,
    mode: str,
    name: str,
    memory_limit: int | None,
) -> Compiled:
    """Build the cheapest plan, by the cost model, whose tensor arena fits the memory."""
    from scanlet.emit.flatbuffer import write_model
    from scanlet.emit.flatbuffer_reader import read_model

    limit = min(memory_limit or target.ram_bytes, target.ram_bytes)
    parts: dict[int, dict[str, int]] = {}

    def predicted(choice: Choice) -> dict[str, int]:
        if id(choice) not in parts:
            model = read_model(write_model(choice.graph, choice.plan.layers))
            arena = predict_arena(model, choice.plan.layers, POINTERS_64)
            parts[id(choice)] = ram_parts(arena, target.stack_bytes, device_margin(model))
        return parts[id(choice)]

    stage("planning fusion and memory")
    candidates = everything = choices(extents, target)
    while True:
        choice = first_fit(candidates, predicted, limit)
        step(f"building the operator for this machine (time tiles of {choice.plan.tile})")
        compiled = build(choice, precision=precision, mode=mode, name=name)
        margin = device_margin(compiled.description)
        try:
            fits = compiled.allocations.total + margin + target.stack_bytes <= limit
        except MissingToolError:  # no interpreter here: the prediction has to do
            fits = True
        if fits or len(candidates) == 1:
            break
        candidates = [other for other in candidates if other is not choice]
    compiled.alternatives = tuple(
        Alternative(other, predicted(other), other is choice) for other in everything
    )
    if len(compiled.tflite) > target.flash_bytes:
        raise TargetError(
            f"the flatbuffer takes {len(compiled.tflite):,} bytes, "
            f"{target.flash_bytes:,} bytes of flash are available",
            where=target.name,
        )
    return compiled


def _samples(
    data: Iterable[Any] | None,
    graph: Graph,
    statistics: tuple[np.ndarray, np.ndarray] | None,
    stream: StreamShape | None,
) -> list[Sample]:
    """The calibration data, checked; random samples of the inputs' shapes if there is none.

    Those of a stream are as long as the captured example, or some chunks where that is a chunk.
    """
    if data is not None:
        samples = as_samples(data, graph.inputs, "calibration_data", stream)
        check_tokens(samples, graph, "calibration_data")
        return samples
    mean, std = statistics or (0.0, 1.0)
    if stream is None:
        return random_samples(graph, VERIFICATION_SAMPLES, mean=mean, std=std)
    chunks = max(1, stream.captured // stream.chunk)
    longer = chunks if chunks > 1 else VERIFICATION_CHUNKS
    return [
        _joined(random_samples(graph, n, mean=mean, std=std, seed=seed), stream)
        for seed, n in enumerate([chunks, longer] * (VERIFICATION_SAMPLES // 2))
    ]


def _joined(chunks: list[Sample], stream: StreamShape) -> Sample:
    """Chunks as one sequence."""
    return tuple(
        parts[0] if axis is None else np.concatenate(parts, axis=axis)
        for parts, axis in zip(zip(*chunks, strict=True), stream.inputs, strict=True)
    )


def _stream(mode: str, chunk: int | None, pooling: Any) -> Stream | None:
    """What is chosen of stream mode; None in sequence mode."""
    if mode != "stream":
        if chunk is not None or pooling is not None:
            raise InputError(
                "chunk= and pooling= belong to stream mode",
                hint='leave them away, or give mode="stream"',
            )
        return None
    if chunk is not None and (not isinstance(chunk, int) or chunk < 1):
        raise InputError(f"chunk is {chunk!r}; it is a positive number of steps")
    return Stream(chunk, as_pooling(pooling))


def _check_integer_options(
    precision: str,
    calibration_data: Any,
    state: str | None,
    float_modules: Sequence[str],
    observer: str | None,
) -> None:
    if precision == "float32":
        if state is not None or float_modules or observer is not None:
            raise InputError(
                "state=, float_modules= and observer= belong to integer precisions",
                hint='leave them away, or give precision="int8"',
            )
        return
    if state is not None:
        _check_choice("state", state, STATES)
    if observer is not None:
        _check_choice("observer", observer, OBSERVERS)
    if calibration_data is None:
        raise CalibrationError(
            f"precision {precision!r} needs calibration_data",
            hint="give some hundred typical inputs, each with its batch dimension of 1",
        )


def _check_choice(argument: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InputError(f"{argument} is {value!r}", hint=f"choose one of {', '.join(allowed)}")


def _symbol(name: str | None, model: Any) -> str:
    """The C symbol prefix: the given name (checked), else one from the model's class or file."""
    if name is None:
        stem = Path(model).stem if isinstance(model, (str, Path)) else type(model).__name__
        stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem)
        name = re.sub(r"\W+", "_", stem).strip("_").lower() or "model"
        if name[0].isdigit() or name == "exported_program":
            name = "model"
        return name
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", name) or keyword.iskeyword(name):
        raise InputError(
            f"name {name!r} cannot prefix C symbols",
            hint="use a letter followed by letters, digits and underscores, 40 at most",
        )
    return name


def _labels(labels: Sequence[str] | None, graph: Graph) -> tuple[str, ...]:
    names = tuple(str(label) for label in labels or ())
    if names and len(names) != graph.outputs[0].shape[-1]:
        raise InputError(
            f"{len(names)} labels for an output of {graph.outputs[0].shape[-1]} classes"
        )
    return names
