"""Runs with the fault shim preloaded: writes projects that fail or die at every single step.

Each attempt is a process of its own, forked from this one. What does not hold is printed; nothing
printed means all is well. Arguments: the scenario, the mode, the folder to work in, the stride.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from scanlet.emit.transaction import STAGE, read_settled
from scanlet.emit.writer import MANIFEST, write_project
from scanlet.errors import EmitError

COUNT, ONCE, FULL, DEAD, KILL = range(5)
MODES = {"once": ONCE, "full": FULL, "dead": DEAD, "kill": KILL, "twice": KILL}
SHIM = ctypes.CDLL(None)

OLD = {"a": b"one" * 50, "main/b": b"2", "main/gone": b"3", "last/one": b"4", "model/d": b"4" * 99}
NEW = {"a": b"two" * 60, "main/b": b"2", "model/d": b"5" * 77, "model/sub/e": b"6", "new/f": b"7"}
EDITED = {"a": b"a person's"}

Tree = dict[str, object]


def tree(root: Path) -> Tree:
    """Every file's content, every link's target, every folder."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder"
    return found


def prepare(root: Path, scenario: str) -> Path:
    """The state before: nothing, or a project with a person's work in it; its directory."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    project = root / ("outer/inner" if scenario == "new" else "p")
    if scenario == "new":
        return project
    write_project(project, OLD)
    for name, content in EDITED.items():
        (project / name).write_bytes(content)
    (project / "main" / "mine").write_bytes(b"mine")
    return project


def attempt(root: Path, project: Path, files: dict[str, bytes], mode: int, at: int) -> str:
    """Write in a process that fails at a step: what it said, "done", or "killed"."""
    return in_child(root, lambda: write_project(project, files, force=True), mode, at)


def in_child(root: Path, action: Callable[[], object], mode: int, at: int) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            SHIM.fault_arm(str(root).encode(), at, mode, errno.ENOSPC)
            try:
                action()
                said = "done"
            except EmitError as error:
                said = f"error {error}"
            steps = SHIM.fault_count()
            os.write(writing, f"{steps} {said}".encode())
        except BaseException as error:
            os.write(writing, f"0 traceback {error!r}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed" if os.WTERMSIG(status) == signal.SIGKILL else f"signal {status}"
    return said


def die_again(root: Path, project: Path, files: dict[str, bytes], first: int) -> None:
    for at in itertools.count(1):
        if in_child(root, lambda: settle(project), KILL, at) != "killed":
            return
        if at % 2:  # and now and then whoever begins anew from there
            attempt(root, project, files, KILL, first)


def settle(project: Path) -> None:
    """As `scanlet.open` does."""
    read_settled(project, project / MANIFEST, lambda: None)


def without_stages(found: Tree) -> Tree:
    return {name: value for name, value in found.items() if STAGE not in name}


def files_of(found: Tree) -> Tree:
    """Without the folders: an emptied one may be left until the next compile."""
    return {name: value for name, value in without_stages(found).items() if value != "folder"}


def main() -> None:
    scenario, how, folder, stride = sys.argv[1:5]
    root, mode, files = Path(folder), MODES[how], NEW
    project = prepare(root, scenario)
    before = tree(root)
    steps = int(attempt(root, project, files, COUNT, 0).split()[0])
    after = tree(root)
    assert steps > 15, steps
    written = tree(project)
    assert {name: written[name] for name in files} == files
    if scenario == "edited":
        assert written["a.bak"] == EDITED["a"]
        assert written["main/mine"] == b"mine"
    assert not [name for name in after if STAGE in name]
    outcomes: dict[str, int] = {}
    for at in range(1, steps + 1, int(stride)):
        project = prepare(root, scenario)
        said = attempt(root, project, files, mode, at)
        if how == "twice":  # the one that undoes it is killed too, at each of its steps
            die_again(root, project, files, at)
        check(f"{scenario} {how} at {at}", said, how, root, project, files, before, after, outcomes)
    print("outcomes", steps, outcomes)


def check(
    what: str,
    said: str,
    how: str,
    root: Path,
    project: Path,
    files: dict[str, bytes],
    before: Tree,
    after: Tree,
    outcomes: dict[str, int],
) -> None:
    def complain(text: str) -> None:
        print(f"{what}: {text}; it said {said!r}")

    done = said.endswith("done")
    found = tree(root)
    if how in ("kill", "twice"):
        if said != "killed":
            complain("was not killed")
        if project.is_dir():
            settle(project)
    elif how == "dead" and not done:
        if "No space left on device" not in said or str(project) not in said:
            complain("odd message")
        if without_stages(found) != before and "could not be undone" not in said:
            complain("changed, and does not say so")
        if project.is_dir():
            settle(project)
    elif done:
        if files_of(found) != files_of(after):
            complain("not the new project")
    else:
        if "error" not in said or "No space left on device" not in said:
            complain("odd message")
        if str(project) not in said:
            complain("names no path")
        if without_stages(found) != before:
            complain(f"not the old project: {sorted(found)}")
        if how == "full" and found != before:
            complain("left something over")
    now = files_of(tree(root))
    if now not in (files_of(before), files_of(after)):
        complain(f"neither the old project nor the new: {sorted(now)}")
    kind = "new" if now == files_of(after) else "old"
    outcomes[kind] = outcomes.get(kind, 0) + 1
    write_project(project, files, force=True)
    if tree(root) != after:
        complain(f"the next one differs: {sorted(tree(root))}")


if __name__ == "__main__":
    main()
