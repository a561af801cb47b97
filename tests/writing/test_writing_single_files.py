"""A file that `-o` names is replaced whole, or stays as it was."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scanlet.cli.arrays import write_array
from scanlet.emit.durable import write_file
from scanlet.errors import InputError

#: Fails at each step in turn; prints [steps, mode, at, outcome, content, names] as JSON.
SWEEP = """
import ctypes, errno, json, os, signal, sys
from pathlib import Path
from scanlet.cli.arrays import write_array
from scanlet.emit.durable import write_file
from scanlet.errors import InputError
shim, folder = ctypes.CDLL(None), Path(sys.argv[1])
target = folder / "figures.json"
def attempt(mode, at):
    for path in folder.iterdir(): path.unlink()
    target.write_bytes(b"old")
    child = os.fork()
    if child == 0:
        shim.fault_arm(str(folder).encode(), at, mode, errno.ENOSPC)
        try:
            write_file(target, b"new" * 1000)
            os._exit(100 + shim.fault_count())
        except InputError as error:
            expected = f"{target}: cannot write: No space left on device"
            os._exit(1 if str(error).startswith(expected) else 2)
        except BaseException:
            os._exit(3)
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
steps = attempt(0, 0) - 100
assert steps >= 4, steps
for mode in (1, 2, 3, 4):
    for at in range(1, steps + 1):
        status = attempt(mode, at)
        content = target.read_bytes()
        kind = "new" if content == b"new" * 1000 else content.decode()[:20]
        before = sorted(path.name for path in folder.iterdir())
        write_file(target, b"next")
        after = sorted(path.name for path in folder.iterdir())
        print(json.dumps([mode, at, status, kind, before, after]))
"""


def test_a_failure_at_any_step_leaves_the_file_old_or_new(preloaded, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, str(tmp_path)],
        env=preloaded,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row[0] for row in rows} == {1, 2, 3, 4}
    for mode, at, status, kind, before, after in rows:
        assert kind in ("old", "new"), (mode, at)
        assert (status == 1) == (kind == "old" and mode != 4), (mode, at, status)
        assert (status == -9) == (mode == 4), (mode, at, status)
        assert mode in (1, 3, 4) or before == ["figures.json"], (mode, at, before)
        assert after == ["figures.json"], (mode, at)


def test_a_size_limit_is_an_error_of_ours(tmp_path):
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from scanlet.emit.durable import write_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_file(Path(sys.argv[1]), bytes(10000))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    target = tmp_path / "big.bin"
    target.write_bytes(b"old")
    said = subprocess.run(
        [sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith(f"InputError {target}: cannot write: File too large")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["big.bin"]


def test_links_are_followed_and_permissions_kept(tmp_path):
    real = tmp_path / "real.json"
    real.write_bytes(b"old")
    real.chmod(0o640)
    (tmp_path / "link.json").symlink_to(real)
    write_file(tmp_path / "link.json", b"new")
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.json").is_symlink()


def test_a_pipe_is_written_to_as_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    write_file(pipe, b"through")
    assert reader.communicate()[0] == b"through"
    assert pipe.is_fifo()


@pytest.mark.parametrize("place", ["missing/file", "folder"])
def test_a_place_that_cannot_be_is_named(tmp_path, place):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot write") as refusal:
        write_file(tmp_path / place, b"x")
    assert str(tmp_path / place) in str(refusal.value)


def test_the_shim_is_not_in_this_process():
    """What fails above fails in processes made for it."""
    assert not hasattr(ctypes.CDLL(None), "fault_arm")
    assert Path("/proc/self/maps").read_text().count("fault_shim") == 0


def test_an_array_gets_numpys_suffix(tmp_path):
    for name in ("y.npy", "y", "y.txt"):
        write_array(tmp_path / name, np.arange(3))
    assert sorted(os.listdir(tmp_path)) == ["y.npy", "y.txt.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), np.arange(3))
