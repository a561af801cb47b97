"""What the examples print of several precisions: drop, agreement, and whether bars are met."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest
from rich.console import Console

import scanlet
from examples import precisions
from examples.comparison import Comparison
from examples.precisions import Bar, Evaluation, print_precisions, spread, verdict


@dataclass
class SizeOnly:
    """All that the table asks of a compiled model."""

    precision: str
    tflite: bytes


def evaluation(precision: str, labels: list[int], classes: list[int]) -> Evaluation:
    """PyTorch says 0 to all of them."""
    pytorch = np.eye(2)[[0] * len(labels)]
    comparison = Comparison(pytorch, np.eye(2)[labels], np.array(classes))
    return Evaluation(
        comparison, cast(scanlet.Compiled, SizeOnly(precision, bytes(50_000))), seconds=1.25
    )


def test_a_drop_counts_points_of_accuracy() -> None:
    assert evaluation("int8", [0, 0, 0, 1], [0, 0, 0, 0]).drop == pytest.approx(25.0)
    assert evaluation("int8", [0, 0, 0, 1], [0, 0, 0, 1]).drop == pytest.approx(-25.0)


def test_a_table_says_which_bars_are_met(monkeypatch: pytest.MonkeyPatch, table_row) -> None:
    out = io.StringIO()
    monkeypatch.setattr(precisions, "console", Console(file=out, width=100))
    print_precisions(
        "title",
        [
            evaluation("float32", [0, 0, 0, 0], [0, 0, 0, 0]),
            evaluation("int8", [0, 0, 0, 1], [0, 0, 0, 0]),
        ],
        {"int8": Bar(drop=0.3, agreement=75.0, flatbuffer=49_999, seconds=60)},
    )
    printed = out.getvalue()
    assert table_row(printed, "float32") == [
        *("100.00 %", "+0.00", "100.00 %", "50,000 bytes", "1.2 s"),
    ]
    assert table_row(printed, "int8")[:3] == ["75.00 %", "+25.00", "75.00 %"]
    assert table_row(printed, "bar") == [
        *("", "<= 0.3: NOT MET", ">= 75.0: met", "<= 49,999: NOT MET", "<= 60: met"),
    ]


def test_without_a_bar_nothing_is_claimed() -> None:
    assert verdict(1.0, "<=", None, "g") == ""


def test_chosen_recordings_are_spread_over_all_of_them() -> None:
    chosen = spread(2550, 500)
    assert len(chosen) == 500
    assert chosen[0] == 0
    assert chosen[-1] == 2549
    assert set(np.diff(chosen)) == {5, 6}
    assert spread(3, 500).tolist() == [0, 1, 2]
