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
from scanlet.damage import blamed_on
from scanlet.errors import ModelFileError
from scanlet.targets import ALL, Target


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
    table = _table("target", "description", "RAM", "kernels", "project")
    for target in ALL.values():
        table.add_row(
            target.name,
            target.description,
            _ram(target),
            target.kernels,
            target.project,
        )
    Console().print(table)


def _table(*headings: str, title: str | None = None) -> Table:
    """Names that do not fit are broken, not cut."""
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


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
    with blamed_on(str(path / "report.json")):
        arena, layers = _memory(report.get("arena", {})), _scratch(report.get("layers", []))
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
        "arena": arena,
        "layers": layers,
    }


def _memory(arena: dict[str, Any]) -> dict[str, Any]:
    """The report's figures of the arena, as they are, if they are figures."""
    for key, value in arena.items():
        if key != "recorded" and not isinstance(value, int):
            raise ValueError(f"arena: {key} is {value!r}")
    return arena


def _scratch(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The report's layers, as they are, if their buffers have names, offsets and sizes."""
    for layer in layers:
        _ = layer["name"]
        for buffer in layer["scratch"]:
            if not (isinstance(buffer["offset"], int) and isinstance(buffer["bytes"], int)):
                raise ValueError(f"{layer['name']}: {buffer!r}")
            _ = buffer["name"]
    return layers


def print_inspection(content: dict[str, Any]) -> None:
    console = Console()
    names = [_shown(tensor["name"]) for tensor in content["tensors"]]
    operators = _table("operator", "inputs", "outputs", title="Operators")
    for op in content["operators"]:
        inputs, outputs = ([names[i] for i in op[key] if i >= 0] for key in ("inputs", "outputs"))
        operators.add_row(_shown(op["name"]), "\n".join(inputs), "\n".join(outputs))
    tensors = _table("tensor", "shape", "type", "bytes", "kind", title="Tensors")
    integers = any(tensor["scales"] for tensor in content["tensors"])
    if integers:
        tensors.add_column("value")
    for tensor in content["tensors"]:
        kind = "constant" if tensor["constant"] else "activation"
        shape = "x".join(map(str, tensor["shape"]))
        cells = [_shown(tensor["name"]), shape, tensor["dtype"], f"{tensor['bytes']:,}", kind]
        tensors.add_row(*cells, *([_value(tensor)] if integers else []))
    console.print(operators)
    console.print(tensors)
    console.print(f"flatbuffer {content['flatbuffer_bytes']:,} bytes")
    if content["arena"]:
        memory = _table("arena", "bytes", title="Memory")
        for key, value in content["arena"].items():
            shown = _shown(value) if key == "recorded" else f"{value:,}"
            memory.add_row(_shown(key.replace("_", " ")), shown)
        console.print(memory)
    for layer in content["layers"]:
        title = f"{_shown(layer['name'])}: scratch of one tile"
        scratch = _table("buffer", "offset", "bytes", title=title)
        for buffer in layer["scratch"]:
            scratch.add_row(_shown(buffer["name"]), f"{buffer['offset']:,}", f"{buffer['bytes']:,}")
        console.print(scratch)


def _shown(name: Any) -> str:
    """A name out of a file: neither markup nor the terminal's controls."""
    text = str(name)
    return escape(text if text.isprintable() else ascii(text))


def _value(tensor: dict[str, Any]) -> str:
    """How the stored integers of a tensor are read."""
    scales, zero = tensor["scales"], (tensor["zero_points"] or [0])[0]
    if len(scales) != 1:
        return f"{len(scales)} scales, per channel" if scales else ""
    offset = f" {'+' if zero < 0 else '-'} {abs(zero)}" if zero else ""
    return f"{scales[0]:.6g} * (q{offset})" if zero else f"{scales[0]:.6g} * q"


#: Columns of a table of measurements: heading, and the entry of a result.
_MEASURED = {
    "T": "tile",
    "instructions": "instructions",
    "loads": "loads",
    "stores": "stores",
    "RAM": "ram_bytes",
    "stack": "stack_bytes",
    "code": "text_bytes",
}
_WIDE_ENOUGH = 110


def print_measurements(name: str, results: Sequence[dict[str, Any]]) -> None:
    """One row a core; on a narrow terminal one column a core, where it has room."""
    console = Console()
    compared = any("naive_instructions" in result for result in results)
    headings = ["core", *_MEASURED, *(["naive C"] if compared else [])]
    cells = [_measured(result, compared=compared) for result in results]
    across = console.is_terminal and console.width < 90
    if across:
        headings, *cells = map(list, zip(headings, *cells, strict=True))
    else:
        console = Console(width=max(console.width, _WIDE_ENOUGH))  # numbers are not to be cut
    table = Table(title=f"{name}: one inference, generic C library", title_justify="left")
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left", no_wrap=not across)
    for row in cells:
        table.add_row(*row)
    console.print(table)
    console.print("Instructions, not cycles; sizes in bytes.")
    if compared:
        console.print("naive C: how many times the instructions of a direct transcription.")


def _measured(result: dict[str, Any], *, compared: bool) -> list[str]:
    cells = [result["core"], *(f"{result[key]:,}" for key in _MEASURED.values())]
    if "naive_instructions" in result:
        return [*cells, f"x{result['naive_instructions'] / result['instructions']:.1f}"]
    return [*cells, ""] if compared else cells
