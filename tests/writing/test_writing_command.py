"""`scanlet compile` on a disk that fills up while it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import reproducible_compile

FULL = 2  # as the shim numbers its modes
MAIN = "from scanlet.cli import main; main()"


def test_a_full_disk_is_one_line_and_an_exit_code(preloaded, tmp_path):
    output = tmp_path / "disk" / "project"
    output.parent.mkdir()
    shape = f"1,{reproducible_compile.LENGTH},{reproducible_compile.FEATURES}"
    words = ["compile", "reproducible_compile:factory", "-o", str(output), "--input-shape", shape]
    folder = str(Path(reproducible_compile.__file__).parent)
    paths = os.pathsep.join([folder, *sys.path])
    fault = {"FAULT_BELOW": str(output.parent), "FAULT_AT": "40", "FAULT_MODE": str(FULL)}
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        env={**preloaded, **fault, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f"error: {output}: cannot write the project: No space left on device" in done.stderr
    assert "What to do: " in done.stderr
    assert "Traceback" not in done.stderr
    assert list(output.parent.iterdir()) == []
