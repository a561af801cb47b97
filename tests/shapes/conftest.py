"""Counts the shapes that were tried; a soak prints how near errors came to what is accepted."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from shape_executions import Errors
from shape_models import Shape
from shape_strategies import SOAK

_tried: list[tuple[Shape, Errors]] = []
_began = time.monotonic()


@pytest.fixture
def tally() -> Callable[[Shape, Errors], None]:
    def note(shape: Shape, errors: Errors) -> None:
        _tried.append((shape, errors))
        if SOAK and len(_tried) % 10 == 0:
            print(f"{len(_tried)} shapes, {time.monotonic() - _began:.0f} s", flush=True)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not SOAK or not _tried:
        return
    worst: dict[str, tuple[float, Shape]] = {}
    for shape, errors in _tried:
        for name, ratio in errors.ratios.items():
            if name not in worst or ratio > worst[name][0]:
                worst[name] = (ratio, shape)
    line = terminalreporter.write_line
    line(f"{len(_tried)} shapes agree; the largest error of each kind, of what is accepted:")
    for name, (ratio, shape) in sorted(worst.items()):
        line(f"  {100 * ratio:6.1f} %  {name}  {shape}")
