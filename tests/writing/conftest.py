"""The preloaded library that makes file operations fail, built once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "fault_shim.so"
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    source = FOLDER / "fault_shim.c"
    subprocess.run(["gcc", *flags, str(source), "-o", str(library), "-ldl"], check=True)
    return library


@pytest.fixture(scope="session")
def preloaded(shim: Path) -> dict[str, str]:
    """The environment of a process with the shim."""
    return {**os.environ, "LD_PRELOAD": str(shim), "OMP_NUM_THREADS": "1"}
