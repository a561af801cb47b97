"""Saving a compiled model as a project and opening it again."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanlet.compiled import Compiled, Golden
from scanlet.damage import blamed_on
from scanlet.errors import InputError, ModelFileError
from scanlet.execution.samples import Sample
from scanlet.graph.serialization import graph_from_bytes, graph_to_bytes
from scanlet.passes import Extent, Fusion, Stream, StreamShape, as_pooling, run
from scanlet.targets import find
from scanlet.version import __version__

if TYPE_CHECKING:
    from scanlet.emit.flatbuffer_reader import ModelDescription, TensorDescription
    from scanlet.emit.library_project import LibrarySpec
    from scanlet.emit.project import ProjectSpec

COMPONENT_DIR = "components/selective_ssm"
GRAPH_FILE = "model/graph.scanlet"
PRECISIONS, MODES = ("float32", "int8", "int16x8"), ("sequence", "stream")
#: Stored integers that differ by no more pass the library's self-test: the same C made them, but
#: without fused multiply-adds, which count where floats are between.
INTEGER_STEPS = 2


@dataclass(frozen=True)
class GoldenResult:
    """How one golden sample came out: `max_error` and `tolerance` are absolute."""

    index: int
    max_error: float
    tolerance: float
    passed: bool


def save(compiled: Compiled, directory: Path, *, force: bool, component_only: bool) -> Path:
    """Write the project under the manifest rule; see `Compiled.save`."""
    from scanlet.emit.project import render_project
    from scanlet.emit.writer import write_project

    files = render_project(_project_spec(compiled), component_only=component_only)
    files.update(_golden_files(compiled.golden))
    if compiled.source is not None:
        files[GRAPH_FILE] = graph_to_bytes(compiled.source)
    write_project(
        directory,
        files,
        force=force,
        generator_version=__version__,
        keep_others=component_only,
    )
    return directory


def load(directory: Path) -> Compiled:
    """Read back what `save` wrote. Raises InputError or ModelFileError naming the file."""
    from scanlet.emit.transaction import read_settled
    from scanlet.emit.writer import MANIFEST

    if not directory.is_dir():
        raise InputError("no such directory", where=str(directory))
    return read_settled(directory, directory / MANIFEST, lambda: _load(directory))


def _load(directory: Path) -> Compiled:
    from scanlet.emit.flatbuffer_reader import validate
    from scanlet.emit.validation.selective import check_component

    report = _read_json(directory / "report.json")
    tflite = _read(directory / "model" / "model.tflite")
    model = validate(tflite, sealed=True)
    component = {
        str(path.relative_to(directory / COMPONENT_DIR)): _read_text(path)
        for path in sorted((directory / COMPONENT_DIR).rglob("*"))
        if path.suffix in (".c", ".h", ".cc")
    }
    check_component(model, component)
    source = graph_from_bytes(_read(directory / GRAPH_FILE))
    with blamed_on(str(directory / "report.json")):
        stream, how = _stream(report["stream"])
        fusion, legal = Fusion(**report["plan"]["fusion"]), source
        if report["precision"] == "float32":
            legal = run(source, mode=report["mode"], fusion=fusion, how=how)
        return Compiled(
            name=_name(report["model"]["name"]),
            target=find(report["target"]["name"]),
            precision=_one_of(report["precision"], PRECISIONS),
            mode=_one_of(report["mode"], MODES),
            labels=tuple(str(label) for label in report["model"]["labels"]),
            tflite=tflite,
            component=component,
            golden=_read_golden(directory, report["golden"], model),
            report=report,
            source=source,
            stream=stream,
            how=how,
            extents=(Extent(fusion, legal),),
        )


def _name(value: Any) -> str:
    """A C identifier, as `compile` takes one."""
    if not isinstance(value, str) or not (value.isidentifier() and value.isascii()):
        raise ValueError(f"the name {value!r}")
    return value


def _one_of(value: Any, possible: Sequence[str]) -> str:
    if value not in possible:
        raise ValueError(f"{value!r} is none of {', '.join(possible)}")
    return str(value)


def _stream(entry: dict[str, Any] | None) -> tuple[StreamShape | None, Stream | None]:
    """What the report says of stream mode."""
    if entry is None:
        return None, None
    sizes = {name: int(entry[name]) for name in ("chunk", "least", "captured")}
    inputs, outputs = (tuple(entry[name]) for name in ("inputs", "outputs"))
    axes = {axis for axis in (*inputs, *outputs) if axis is not None}
    if min(sizes.values()) < 1 or not axes <= {1, 2, 3}:
        raise ValueError(f"a stream of {sizes} along {axes}")
    return StreamShape(inputs, outputs, **sizes), Stream(
        sizes["chunk"], as_pooling(entry["pooling"])
    )


def verify_golden(compiled: Compiled, *, on: str | None = None) -> list[GoldenResult]:
    """Run the golden inputs and compare with the stored outputs.

    `on` names an emulated core to run them on, as `Compiled.run` does.
    """
    golden = compiled.golden
    if not golden.inputs:
        raise ModelFileError("the project holds no golden vectors", where=compiled.name)
    results = []
    for index, (sample, expected) in enumerate(zip(golden.inputs, golden.outputs, strict=True)):
        got = _once(compiled, sample, on)
        error = max(
            float(np.max(np.abs(g.astype(np.float64) - e), initial=0.0))
            for g, e in zip(got, expected, strict=True)
        )
        passed = bool(error <= golden.tolerance)  # False for NaN
        results.append(GoldenResult(index, error, golden.tolerance, passed))
    return results


def _once(compiled: Compiled, sample: Sequence[np.ndarray], on: str | None) -> Sequence[np.ndarray]:
    """The outputs for one sample from zero state, as real values."""
    if on is None:
        compiled.reset()
        return compiled.real_outputs(compiled.interpreter.run(*compiled.stored_inputs(sample)))
    result = compiled.run(*sample, on=on)
    return result if isinstance(result, tuple) else (result,)


def _project_spec(compiled: Compiled) -> ProjectSpec:
    from scanlet.emit.operator_table import required_resolver_methods
    from scanlet.emit.project import ProjectSpec, TensorSpec

    def describe(tensor: Any) -> TensorSpec:
        q = tensor.quantization
        scale, zero_point = (q.scales[0], q.zero_points[0]) if q else (None, None)
        return TensorSpec(tensor.name, tensor.shape, tensor.dtype, scale, zero_point)

    arena = compiled.report["arena"]
    return ProjectSpec(
        name=compiled.name,
        target=compiled.target,
        tflite=compiled.tflite,
        component=compiled.component,
        resolver_methods=required_resolver_methods(compiled.tflite),
        arena_bytes=arena["needed_bytes"],
        arena_margin_bytes=arena["reserved_bytes"] - arena["needed_bytes"],
        inputs=tuple(describe(tensor) for tensor in compiled.inputs),
        outputs=tuple(describe(tensor) for tensor in compiled.outputs),
        golden_inputs=[tuple(compiled.stored_inputs(s)) for s in compiled.golden.inputs],
        golden_outputs=[tuple(compiled.stored_outputs(s)) for s in compiled.golden.outputs],
        golden_tolerance=compiled.golden.tolerance,
        labels=compiled.labels,
        mode=compiled.mode,
        report=compiled.report,
        library=_library(compiled),
    )


def _library(compiled: Compiled) -> LibrarySpec | None:
    """The whole network as plain C, for firmware without TFLM, and what it should compute."""
    if compiled.target.project == "esp-idf" or compiled.source is None:
        return None
    from scanlet.emit.generic.source import render_generic
    from scanlet.emit.library_project import LibrarySpec
    from scanlet.planning.generic import plan_memory

    choice = compiled.planned_for(compiled.target, keep_plan=True)
    memory = plan_memory(choice.graph, choice.plan)
    return LibrarySpec(
        sources=render_generic(choice.graph, choice.plan, name=compiled.name),
        arena_bytes=memory.arena_bytes,
        state_bytes=memory.state_bytes,
        expected_outputs=[compiled.stored_outputs(sample) for sample in compiled.golden.outputs],
        golden_steps=INTEGER_STEPS,
    )


def _golden_files(golden: Golden) -> dict[str, bytes]:
    files = {}
    for kind, samples in (("input", golden.inputs), ("output", golden.outputs)):
        for i, sample in enumerate(samples):
            for j, array in enumerate(sample):
                stream = io.BytesIO()
                np.save(stream, array, allow_pickle=False)
                files[f"model/golden/{kind}_{i}_{j}.npy"] = stream.getvalue()
    return files


def _read_golden(directory: Path, entry: dict[str, Any], model: ModelDescription) -> Golden:
    def samples(kind: str, tensors: Sequence[TensorDescription]) -> tuple[Sample, ...]:
        folder = directory / "model" / "golden"
        return tuple(
            tuple(
                _read_array(folder / f"{kind}_{i}_{j}.npy", tensor)
                for j, tensor in enumerate(tensors)
            )
            for i in range(entry["samples"])
        )

    if (entry["inputs"], entry["outputs"]) != (len(model.inputs), len(model.outputs)):
        raise ValueError("golden vectors of another model")
    tolerance = float(entry["tolerance"])
    return Golden(
        samples("input", model.inputs),
        samples("output", model.outputs),
        tolerance,
        str(entry["made_by"]),
    )


def _read_array(path: Path, tensor: TensorDescription) -> np.ndarray:
    data = _read(path)
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # the header is parsed as Python, and there are archives, too
        raise ModelFileError(
            f"damaged golden vector: {error}", where=str(path), hint="compile the model again"
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise ModelFileError("no array of numbers", where=str(path))
    if array.shape != tensor.shape:
        raise ModelFileError(
            f"a golden vector of shape {array.shape}, {tensor.name!r} has {tensor.shape}",
            where=str(path),
            hint="compile the model again",
        )
    return array


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"cannot read: {error.strerror}",
            where=str(path),
            hint="give the directory that `scanlet compile -o` wrote, complete",
        ) from error


def _read_text(path: Path) -> str:
    try:
        return _read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFileError(f"no text: {error.reason}", where=str(path)) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"damaged JSON: {error}", where=str(path)) from error
    if not isinstance(content, dict):
        raise ModelFileError("not a report", where=str(path))
    return content
