"""Several processes at one directory: one project at a time, the last one's stays, none is torn."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import racing_writer

from scanlet.emit import writer
from scanlet.emit.transaction import STAGE, staging
from scanlet.emit.writer import write_project
from scanlet.errors import EmitError

SCRIPT = Path(racing_writer.__file__)
ROUNDS = 12


@pytest.mark.parametrize("seed", range(2))
def test_processes_that_write_into_one_directory_leave_one_project(preloaded, tmp_path, seed):
    """From the moment that it does not exist, with readers that never see half of one."""
    directory = tmp_path / "out" / "p"
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(directory), what, str(ROUNDS), str(seed * 10 + i)],
            env=preloaded,  # disarmed, it only makes fsync quick
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i, what in enumerate(["0", "1", "0", "1", "read"])
    ]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "ended\n"), err
    racing_writer.check(directory)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["p"]
    assert not (directory / STAGE).exists()


def test_who_waits_too_long_is_told_the_process_and_changes_nothing(tmp_path, monkeypatch):
    write_project(tmp_path, {"a": b"1"})
    monkeypatch.setattr(writer, "staging", functools.partial(staging, wait=0.1))
    with (
        staging(tmp_path / STAGE),
        pytest.raises(EmitError, match=rf"process {os.getpid()} is writing here") as refusal,
    ):
        write_project(tmp_path, {"a": b"2"})
    assert str(tmp_path) in str(refusal.value)
    assert (tmp_path / "a").read_bytes() == b"1"
    write_project(tmp_path, {"a": b"2"})
    assert (tmp_path / "a").read_bytes() == b"2"


def test_a_stage_that_vanishes_while_it_is_looked_for_is_made_again(tmp_path, monkeypatch):
    """Its holder had it when it was to be made, and has removed it since."""
    made, asked = Path.mkdir, []

    def mkdir(self: Path, *arguments: object, **options: object) -> None:
        asked.append(self)
        if len(asked) == 1:
            raise FileExistsError(errno.EEXIST, "File exists", str(self))
        made(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with staging(tmp_path / "stage"):
        assert (tmp_path / "stage").is_dir()
    assert asked == [tmp_path / "stage"] * 2
