"""The package and the examples pass the type checker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_mypy_finds_nothing(checkout: Path, tmp_path: Path) -> None:
    # The package is imported as `scanlet` but lies in compiler/, which mypy cannot know.
    (tmp_path / "scanlet").symlink_to(checkout / "compiler", target_is_directory=True)
    (tmp_path / "examples").symlink_to(checkout / "examples", target_is_directory=True)
    result = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "-p", "scanlet", "-p", "examples"),
            *("--config-file", str(checkout / "pyproject.toml")),
            *("--cache-dir", str(checkout / ".mypy_cache")),
        ],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
