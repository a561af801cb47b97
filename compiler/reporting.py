"""What is added to a report after compiling: counts on emulated cores, accuracy on labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scanlet.compiled import Compiled
from scanlet.damage import blamed_on
from scanlet.errors import InputError, ModelFileError
from scanlet.progress import counted, stage
from scanlet.version import __version__

#: Of a measurement, what the report keeps.
_MEASURED = (
    *("core", "compiler", "fused", "tile", "instructions", "loads", "stores", "ram_bytes"),
    *("stack_bytes", "text_bytes", "rodata_bytes", "parts", "kernels"),
)


def add_measurements(compiled: Compiled, cores: Sequence[str]) -> None:
    """Count one inference on each core (names as for `Compiled.measure`) into the report.

    A core that was counted before is counted again. Raises TargetError for an unknown core,
    MissingToolError naming the packages where there is no emulator for it.
    """
    _check_report(compiled.report, compiled.name)
    found = {one["core"]: one for one in compiled.report["measurements"]}
    for core in dict.fromkeys(cores):
        stage(f"counting on {core}")
        measured = compiled.measure(on=core)
        row = {key: measured[key] for key in _MEASURED}
        row["per_step"] = round(measured["instructions"] / compiled.report["steps"])
        found[row["core"]] = row
    compiled.report["measurements"] = [found[core] for core in sorted(found)]


def evaluate(compiled: Compiled, inputs: Any, labels: Any) -> dict[str, Any]:
    """Accuracy on labelled samples, also into the report; see `Compiled.evaluate`."""
    from scanlet.emit.report.content.classes import confusion

    _check_report(compiled.report, compiled.name)
    samples = inputs if isinstance(inputs, tuple) else (inputs,)
    expected = class_indices(np.asarray(labels), compiled.labels)
    counts = {len(array) for array in (*samples, expected)}
    if counts == {0} or len(counts) != 1:
        raise InputError(
            f"{len(samples[0])} samples and {len(expected)} labels",
            hint="give one label a sample, in the same order",
        )
    classes = compiled.outputs[0].shape[-1]
    if len(compiled.outputs) != 1 or np.prod(compiled.outputs[0].shape) != classes:
        raise InputError("the model's output is not one score a class, so it has no accuracy")
    if expected.min() < 0 or expected.max() >= classes:
        raise InputError(
            f"labels go from {expected.min()} to {expected.max()}, the model has {classes} classes"
        )
    pairs = []
    for i, label in enumerate(counted(list(expected), "evaluating")):
        compiled.reset()
        scores = compiled.run(*(array[i : i + 1] for array in samples))
        pairs.append((int(label), int(np.argmax(scores))))
    compiled.report["evaluation"] = confusion(pairs, classes, "the labels")
    return compiled.report["evaluation"]


def write_report(compiled: Compiled, directory: Path, *, force: bool = False) -> None:
    """Render report.html and report.json of a project again; its other files stay as they are."""
    from scanlet.emit.report import report_html, report_json
    from scanlet.emit.writer import write_project

    _check_report(compiled.report, str(directory))
    with blamed_on(str(directory / "report.json")):
        files = {
            "report.json": report_json(compiled.report),
            "report.html": report_html(compiled.report),
        }
    write_project(directory, files, force=force, generator_version=__version__, keep_others=True)


def _check_report(report: dict[str, Any], where: str) -> None:
    """Refuse what an earlier version of scanlet wrote."""
    missing = {"measurements", "steps", "graphs", "memory", "reproduce"} - report.keys()
    if missing:
        raise ModelFileError(
            f"the report lacks {', '.join(sorted(missing))}: another version of scanlet wrote it",
            where=where,
            hint="compile the model again",
        )


def class_indices(labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Labels as indices: they are integers, or the names of the model's classes."""
    flat = labels.reshape(-1)
    if flat.dtype.kind in "US":
        unknown = sorted(set(map(str, flat)) - set(names))
        if unknown:
            raise InputError(
                f"label {unknown[0]!r} is none of the model's",
                hint=f"its classes are {', '.join(names) or 'not named: give integers'}",
            )
        return np.array([names.index(str(label)) for label in flat], dtype=np.int64)
    if flat.dtype.kind == "f" and np.array_equal(flat, np.round(flat)):
        flat = flat.astype(np.int64)
    if flat.dtype.kind not in "iu":
        raise InputError(f"labels are of type {labels.dtype}, neither integers nor names")
    return flat
