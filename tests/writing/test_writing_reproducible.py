"""The same model, options and version: the same bytes, wherever and whenever they are made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import reproducible_compile
import torch
from threadpoolctl import threadpool_info

from scanlet.compilation.one_thread import one_thread

SCRIPT = Path(reproducible_compile.__file__)
PROJECTS = (*reproducible_compile.CALLS, "command")
YEAR = 366 * 86400
CLOCK = "import datetime; print(datetime.datetime.now(datetime.timezone.utc).year)"


@pytest.fixture(scope="module")
def trees(preloaded, tmp_path_factory) -> tuple[Path, Path]:
    """The same models compiled by two processes that have as little as possible in common."""
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    paths = {"PYTHONPATH": os.pathsep.join([str(SCRIPT.parent), *sys.path])}
    plain = {**os.environ, **paths, "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"}
    odd = {
        **{**preloaded, **paths, "PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "3"},
        **{"TZ": "Asia/Kathmandu", "LC_ALL": "C", "UMASK": "077", "CLOCK_SHIFT": str(YEAR)},
        **{"HOME": str(other), "XDG_CACHE_HOME": str(other / "cache"), "COLUMNS": "40"},
    }
    years = [
        int(subprocess.run([sys.executable, "-c", CLOCK], env=e, capture_output=True).stdout)
        for e in (plain, odd)
    ]
    assert years[1] - years[0] in (1, 2)
    folders = one / "p", other / "deeper" / "a longer name"
    for folder, environment, start in zip(folders, (plain, odd), (one, SCRIPT.parent), strict=True):
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(folder)],
            env=environment,
            cwd=start,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folders


def files_in(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", PROJECTS)
def test_two_compiles_give_the_same_bytes(trees, name):
    """Other folders, working folders, times, hash seeds, threads, locales, caches and umasks."""
    one, other = (files_in(tree / name) for tree in trees)
    assert len(one) > 15
    assert sorted(one) == sorted(other)
    assert [path for path in one if one[path] != other[path]] == []


@pytest.mark.parametrize("name", PROJECTS)
def test_nothing_names_a_place_or_a_person(trees, name):
    for tree in trees:
        places = [str(tree.parent), str(Path.home()), str(SCRIPT.parent), os.uname().nodename]
        for path, content in files_in(tree / name).items():
            if path != "model/graph.scanlet":  # its entries are compressed, but compared above
                assert [p for p in places if len(p) > 5 and p.encode() in content] == [], path


def test_the_command_that_is_recorded_names_no_folder(trees):
    report = json.loads((trees[1] / "command" / "report.json").read_text())
    command = report["reproduce"]["command"]
    assert command.startswith("scanlet compile reproducible_compile:factory -o DIR")
    assert "--calibration data.npy" in command
    assert report["golden"]["made_by"] == "generic-c"


def test_libraries_run_on_one_thread_and_get_theirs_back():
    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info()] + [torch.get_num_threads()]

    before_torch, torch_threads = threads(), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        before = threads()
        with pytest.raises(ValueError, match="inside"), one_thread():  # noqa: PT012
            assert set(threads()) == {1}
            raise ValueError("inside")
        assert threads() == before
    finally:
        torch.set_num_threads(torch_threads)
    assert threads() == before_torch
