"""Whatever file operation fails, and wherever the process dies: the old project or the new one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("fault_driver.py")


def sweep(
    environment: dict[str, str], folder: Path, scenario: str, mode: str, stride: int = 1
) -> str:
    """Attempts that fail at each step in turn; what the driver says of the outcomes."""
    done = subprocess.run(
        [sys.executable, str(DRIVER), scenario, mode, str(folder / "root"), str(stride)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(lines) == 1, "\n".join(lines)
    return lines[0]


@pytest.mark.parametrize("mode", ["once", "full", "dead", "kill"])
@pytest.mark.parametrize("scenario", ["new", "edited"])
def test_a_failure_at_any_step_leaves_one_whole_project(preloaded, tmp_path, scenario, mode):
    """The steps: every file made, written, synced, moved or removed. Forced, over a person's work.

    Fails once; a full disk from there on; a dead one from there on; or the process is killed.
    """
    said = sweep(preloaded, tmp_path, scenario, mode)
    assert "'old'" in said
    assert "'new'" in said or (scenario, mode) == ("new", "dead")


def test_a_recovery_may_be_killed_as_often_as_one_likes(preloaded, tmp_path):
    assert "'old'" in sweep(preloaded, tmp_path, "edited", "twice", stride=7)
