"""One network at several precisions: run each beside PyTorch's float32, print them in one table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

import scanlet
from examples.comparison import Comparison, console

PRECISIONS = ("float32", "int8", "int16x8")


@dataclass(frozen=True)
class Bar:
    """What a precision may cost at most; None: nothing is asked for."""

    drop: float | None = None  # points of accuracy below PyTorch in float32
    agreement: float | None = None  # percent of the recordings with PyTorch's label, at least
    flatbuffer: int | None = None  # bytes
    seconds: float | None = None  # of calibration and compilation


@dataclass(frozen=True)
class Evaluation:
    """A test set at one precision; seconds are those of calibration and compilation."""

    comparison: Comparison
    compiled: scanlet.Compiled
    seconds: float

    @property
    def drop(self) -> float:
        """Points of accuracy lost against PyTorch in float32; negative where it won some."""
        return 100 * (self.comparison.pytorch_accuracy - self.comparison.tflm_accuracy)


def add_precision_option(parser: argparse.ArgumentParser, default: Sequence[str]) -> None:
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=list(default),
        metavar="PRECISION",
        help=f"one or more of {', '.join(PRECISIONS)}; default: {' '.join(default)}",
    )


def spread(count: int, wanted: int) -> np.ndarray:
    """Indices of `wanted` of `count` recordings, evenly apart from the first to the last.

    The data sets here are sorted by class or by person: all of them are among what is chosen.
    """
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(int))


def print_precisions(
    title: str, evaluations: Sequence[Evaluation], bars: dict[str, Bar] | None = None
) -> None:
    """Accuracy, drop, label agreement, size and time of each precision, its bar below each."""
    table = Table(title=title, title_justify="left")
    table.add_column("precision", no_wrap=True)
    for column in ("accuracy", "drop in points", "same label", "flatbuffer", "compiled in"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in evaluations:
        precision, size = one.compiled.precision, len(one.compiled.tflite)
        agreement = 100 * one.comparison.agreement
        table.add_row(
            precision,
            f"{100 * one.comparison.tflm_accuracy:.2f} %",
            f"{one.drop:+.2f}",
            f"{agreement:.2f} %",
            f"{size:,} bytes",
            f"{one.seconds:.1f} s",
        )
        bar = (bars or {}).get(precision)
        if bar is not None:
            table.add_row(
                "  bar",
                "",
                verdict(one.drop, "<=", bar.drop, "g"),
                verdict(agreement, ">=", bar.agreement, ".1f"),
                verdict(size, "<=", bar.flatbuffer, ","),
                verdict(one.seconds, "<=", bar.seconds, "g"),
                end_section=True,
            )
    console.print(table)


def verdict(value: float, relation: str, bar: float | None, form: str) -> str:
    """'<= 0.3: met'; nothing without a bar."""
    if bar is None:
        return ""
    met = value <= bar if relation == "<=" else value >= bar
    return f"{relation} {bar:{form}}: {'met' if met else 'NOT MET'}"
