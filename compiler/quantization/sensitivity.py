"""Where quantization hurts: signal against quantization noise, tensor by tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanlet.errors import InputError
from scanlet.execution.samples import Sample
from scanlet.execution.streams import chunks_of
from scanlet.graph import Graph, Tensor
from scanlet.graph.quantized import dequantized, quantized
from scanlet.passes import StreamShape
from scanlet.progress import counted
from scanlet.quantization.calibration import Calibration, decibels


@dataclass(frozen=True)
class Sensitivity:
    """One tensor of the quantized graph against its float original, over all samples.

    The noise is all that has come about up to there, not this tensor's rounding alone.
    """

    name: str
    noise_db: float  # signal to quantization noise; infinite where the two are equal
    largest_error: float
    dtype: str  # of the quantized tensor; float32 within an island


@dataclass(frozen=True)
class Comparison:
    """`tensors` worst first; `agreement` is the share of samples on which the first output has
    the same largest entry, 0 to 1."""

    tensors: tuple[Sensitivity, ...]
    agreement: float
    samples: int


def compare(
    graph: Graph,
    quantized_graph: Graph,
    samples: Sequence[Sample],
    stream: StreamShape | None = None,
) -> Comparison:
    """Run both graphs on float samples, the quantized one by its exact NumPy meaning.

    Compares all activations that exist under the same name in both. Raises InputError without a
    sample.
    """
    if not samples:
        raise InputError("no samples to compare the quantized model with")
    floats = {t.name: t for t in graph.tensors() if t.data is None and t.dtype == "float32"}
    common = [t for t in quantized_graph.tensors() if t.data is None and t.name in floats]
    signal = dict.fromkeys((t.name for t in common), 0.0)
    noise, largest = dict(signal), dict(signal)
    same = 0
    for sample in counted(samples, "measuring quantization noise"):
        carried: tuple[dict, dict] = ({}, {})
        for chunk in [sample] if stream is None else chunks_of(sample, stream):
            wanted = graph.trace(chunk, carried=carried[0])
            stored = stored_inputs(quantized_graph, chunk)
            found = quantized_graph.trace(stored, carried=carried[1])
            for tensor in common:
                real, name = wanted[tensor.name], tensor.name
                error = _real(tensor, found[name]) - real
                signal[name] += float(np.mean(real * real))
                noise[name] += float(np.mean(error * error))
                largest[name] = max(largest[name], float(np.abs(error).max(initial=0)))
        first, other = graph.outputs[0].name, quantized_graph.outputs[0].name
        same += int(np.argmax(wanted[first]) == np.argmax(found[other]))
    rows = [
        Sensitivity(t.name, decibels(signal[t.name], noise[t.name]), largest[t.name], t.dtype)
        for t in common
    ]
    rows.sort(key=lambda row: row.noise_db)
    return Comparison(tuple(rows), same / len(samples), len(samples))


def sensitivities(
    graph: Graph,
    quantized_graph: Graph,
    samples: Sequence[Sample],
    stream: StreamShape | None = None,
) -> list[Sensitivity]:
    """The tensors of `compare`, worst first."""
    return list(compare(graph, quantized_graph, samples, stream).tensors)


def stored_inputs(graph: Graph, sample: Sample) -> list[np.ndarray]:
    """The arrays that a quantized graph reads for a sample of real numbers (or tokens)."""
    return [
        array
        if tensor.quantization is None
        else quantized(array, tensor.quantization, tensor.dtype)
        for tensor, array in zip(graph.inputs, sample, strict=True)
    ]


def print_sensitivity(rows: Sequence[Sensitivity], *, limit: int | None = None) -> None:
    """A table of the `limit` worst tensors (all by default)."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("tensor")
    table.add_column("type")
    table.add_column("dB", justify="right", no_wrap=True)
    table.add_column("largest error", justify="right", no_wrap=True)
    for row in rows[:limit]:
        table.add_row(row.name, row.dtype, f"{row.noise_db:.1f}", f"{row.largest_error:.3g}")
    console = Console()
    console.print("Signal to quantization noise, worst first")
    console.print(table)
    if limit is not None and len(rows) > limit:
        console.print(f"and {len(rows) - limit} more")


def print_calibration(calibration: Calibration) -> None:
    """A table of what each activation looked like, the range chosen for it and its error."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    title = f"Calibration on {calibration.samples:,} samples"
    table = Table(title=title, title_justify="left")
    table.add_column("tensor")
    for column in ("seen", "range", "clipped", "dB in int8"):
        table.add_column(column, justify="right", no_wrap=True)
    for seen in sorted(calibration.tensors.values(), key=lambda seen: seen.noise_db):
        table.add_row(
            seen.name,
            f"{seen.minimum:.4g} .. {seen.maximum:.4g}",
            f"{seen.low:.4g} .. {seen.high:.4g}",
            f"{seen.clipped:.3%}",
            f"{seen.noise_db:.1f}",
        )
    console = Console(width=max(Console().width, 100))  # numbers are not to be cut in a file
    console.print(table)
    for warning in calibration.warnings:
        console.print(f"[yellow]warning[/yellow] {escape(warning)}")


def _real(tensor: Tensor, array: np.ndarray) -> np.ndarray:
    return array if tensor.quantization is None else dequantized(array, tensor.quantization)
