"""How the example tests run an example: as a reader would, from the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
RunExample = Callable[..., str]


@pytest.fixture(scope="session")
def run_example() -> RunExample:
    """Run examples.<name>.<module> with arguments; what it printed, or the test fails."""

    def run(name: str, *arguments: str, module: str = "run") -> str:
        result = subprocess.run(
            [sys.executable, "-m", f"examples.{name}.{module}", *arguments],
            cwd=CHECKOUT,
            env={**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


@pytest.fixture(scope="session")
def table_row() -> Callable[[str, str], list[str]]:
    """The cells of the first printed table row that starts with a title."""

    def cells(output: str, title: str) -> list[str]:
        for line in output.splitlines():
            row = [cell.strip() for cell in re.split("[│┃]", line)[1:-1]]
            if row and row[0] == title:
                return row[1:]
        raise AssertionError(f"no row {title!r} in:\n{output}")

    return cells


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Data that may not be part of the repository; the only reason to skip a test."""
    folder = CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs data that the repository may not hold: ../shared/data is absent")
    return folder
