"""Python is linted and formatted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run_ruff(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "."],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_ruff_finds_nothing(checkout: Path) -> None:
    result = run_ruff(checkout, "check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_code_is_formatted(checkout: Path) -> None:
    result = run_ruff(checkout, "format", "--check")
    assert result.returncode == 0, result.stdout + result.stderr
