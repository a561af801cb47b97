"""What the command line prints for people: tables of the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scanlet.compiled import Compiled
from scanlet.errors import ModelFileError
from scanlet.targets import ALL, Target


def print_summary(compiled: Compiled, directory: Path) -> None:
    """Sizes, accuracy against PyTorch, and where the project lies."""
    report = compiled.report
    checked = report["verification"]
    arena = report["arena"]
    table = Table.grid(padding=(0, 2))
    table.add_row("target", compiled.target.description)
    table.add_row("operators", ", ".join(op["name"] for op in report["operators"]))
    table.add_row("flatbuffer", f"{report['sizes']['flatbuffer_bytes']:,} bytes")
    table.add_row(
        "tensor arena",
        f"{arena['needed_bytes']:,} bytes needed, {arena['reserved_bytes']:,} reserved",
    )
    table.add_row(
        "against PyTorch",
        f"largest error {checked['max_error']:.3g}, mean {checked['mean_error']:.3g} "
        f"({checked['samples']} samples on {checked['ran_on']})",
    )
    if checked["label_agreement"] is not None:
        table.add_row("same label as PyTorch", f"{checked['label_agreement']:.2%}")
    if checked["accuracy"] is not None:
        before, after = checked["accuracy"]["pytorch"], checked["accuracy"]["compiled"]
        table.add_row("accuracy", f"{before:.2%} in PyTorch, {after:.2%} compiled")
    if report["quantization"] is not None:
        made = report["quantization"]
        table.add_row("precision", f"{report['precision']}, recurrent state {made['state']}")
        table.add_row("ranges", f"of the calibration data, {made['observer']}")
        islands = [
            f"{', '.join(island['modules'] or island['nodes'])} ({'; '.join(island['reasons'])})"
            for island in made["islands"]
        ]
        table.add_row("in float32", "\n".join(islands) or "nothing")
    table.add_row("project", str(directory))
    table.add_row("report", str(directory / "report.html"))
    console = Console()
    console.print(f"[bold]{compiled.name}[/bold] compiled")
    console.print(table)
    for warning in report["warnings"]:
        console.print(f"[yellow]warning[/yellow] {escape(warning)}")


def print_outputs(compiled: Compiled, arrays: Sequence[np.ndarray]) -> None:
    """The outputs, a row a sample, with the most likely class where the model has labels."""
    for description, array in zip(compiled.outputs, arrays, strict=True):
        print(f"{description.name} {tuple(array.shape)}")
        for row in array:
            values = np.array2string(row, precision=6, threshold=32)
            label = ""
            if compiled.labels and row.size == len(compiled.labels):
                label = f"  -> {compiled.labels[int(np.argmax(row))]}"
            print(f"  {values}{label}")


def print_targets() -> None:
    table = Table("target", "description", "RAM", "kernels", "project")
    for target in ALL.values():
        table.add_row(
            target.name,
            target.description,
            _ram(target),
            target.kernels,
            target.project,
        )
    Console().print(table)


def _ram(target: Target) -> str:
    """What a plan may use, and the memories it may lie in."""
    parts = [
        f"{memory.name} {memory.nbytes // 1024} KiB"
        for memory in target.memories
        if memory.name in target.model_memories
    ]
    return "\n".join([f"{target.ram_bytes // 1024} KiB", *parts])


def inspection(path: Path) -> dict[str, Any]:
    """Operators, tensors and memory of a project directory or a .tflite file."""
    from scanlet.emit.flatbuffer_reader import read_model, validate

    if path.is_dir():
        import scanlet

        compiled = scanlet.open(path)
        tflite, report = compiled.tflite, compiled.report
    else:
        try:
            tflite, report = path.read_bytes(), {}
        except OSError as error:
            raise ModelFileError(f"cannot read: {error.strerror}", where=str(path)) from error
        validate(tflite)
    description = read_model(tflite)
    return {
        "flatbuffer_bytes": len(tflite),
        "operators": [
            {"name": op.name, "inputs": op.inputs, "outputs": op.outputs}
            for op in description.operators
        ],
        "tensors": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "dtype": tensor.dtype,
                "bytes": tensor.nbytes,
                "constant": tensor.constant,
                "scales": list(tensor.quantization.scales) if tensor.quantization else [],
                "zero_points": list(tensor.quantization.zero_points) if tensor.quantization else [],
            }
            for tensor in description.tensors
        ],
        "arena": report.get("arena", {}),
        "layers": report.get("layers", []),
    }


def print_inspection(content: dict[str, Any]) -> None:
    console = Console()
    names = [tensor["name"] for tensor in content["tensors"]]
    operators = Table("operator", "inputs", "outputs", title="Operators")
    for op in content["operators"]:
        inputs, outputs = ([names[i] for i in op[key] if i >= 0] for key in ("inputs", "outputs"))
        operators.add_row(op["name"], "\n".join(inputs), "\n".join(outputs))
    tensors = Table("tensor", "shape", "type", "bytes", "kind", title="Tensors")
    integers = any(tensor["scales"] for tensor in content["tensors"])
    if integers:
        tensors.add_column("value")
    for tensor in content["tensors"]:
        kind = "constant" if tensor["constant"] else "activation"
        shape = "x".join(map(str, tensor["shape"]))
        cells = [tensor["name"], shape, tensor["dtype"], f"{tensor['bytes']:,}", kind]
        tensors.add_row(*cells, *([_value(tensor)] if integers else []))
    console.print(operators)
    console.print(tensors)
    console.print(f"flatbuffer {content['flatbuffer_bytes']:,} bytes")
    if content["arena"]:
        memory = Table("arena", "bytes", title="Memory")
        for key, value in content["arena"].items():
            memory.add_row(key.replace("_", " "), f"{value:,}" if key != "recorded" else str(value))
        console.print(memory)
    for layer in content["layers"]:
        scratch = Table("buffer", "offset", "bytes", title=f"{layer['name']}: scratch of one tile")
        for buffer in layer["scratch"]:
            scratch.add_row(buffer["name"], f"{buffer['offset']:,}", f"{buffer['bytes']:,}")
        console.print(scratch)


def _value(tensor: dict[str, Any]) -> str:
    """How the stored integers of a tensor are read."""
    scales, zero = tensor["scales"], (tensor["zero_points"] or [0])[0]
    if len(scales) != 1:
        return f"{len(scales)} scales, per channel" if scales else ""
    offset = f" {'+' if zero < 0 else '-'} {abs(zero)}" if zero else ""
    return f"{scales[0]:.6g} * (q{offset})" if zero else f"{scales[0]:.6g} * q"


def print_measurements(name: str, results: Sequence[dict[str, Any]]) -> None:
    """One row a core."""
    table = Table(title=f"{name}: one inference, generic C library", title_justify="left")
    table.add_column("core", no_wrap=True)
    for column in ("T", "instructions", "loads", "stores", "RAM", "stack", "code"):
        table.add_column(column, justify="right", no_wrap=True)
    compared = any("naive_instructions" in result for result in results)
    if compared:
        table.add_column("naive C", justify="right", no_wrap=True)
    for result in results:
        keys = ("instructions", "loads", "stores", "ram_bytes", "stack_bytes", "text_bytes")
        numbers = [f"{result[key]:,}" for key in keys]
        if "naive_instructions" in result:
            numbers.append(f"x{result['naive_instructions'] / result['instructions']:.1f}")
        elif compared:
            numbers.append("")
        table.add_row(result["core"], str(result["tile"]), *numbers)
    console = Console(width=max(Console().width, 110))  # numbers are not to be cut in a file
    console.print(table)
    console.print("Instructions, not cycles; sizes in bytes.")
    if compared:
        console.print("naive C: how many times the instructions of a direct transcription.")
