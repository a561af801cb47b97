"""Writes one of two projects into a directory again and again, or reads what is there meanwhile.

Arguments: the directory, "0" or "1" for a project or "read", how many rounds, a seed.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path

from scanlet.emit.transaction import STAGE, digest_of, read_settled
from scanlet.emit.writer import MANIFEST, write_project

COMMON = {f"common/{i}": b"same" * i for i in range(5)}
PROJECTS = [
    COMMON | {f"part{n}/{i}": b"%d" % i * 50 for i in range(6)} | {"both": b"%d" % n * 5000}
    for n in range(2)
]


def files_in(directory: Path) -> dict[str, bytes]:
    found = {}
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name != STAGE]  # it comes and goes
        for path in (Path(folder) / name for name in names if name != MANIFEST):
            found[str(path.relative_to(directory))] = path.read_bytes()
    return found


def check(directory: Path) -> None:
    """The directory is one of the two projects, and its manifest says so."""
    found = files_in(directory)
    assert found in PROJECTS, sorted(found)
    listed = json.loads((directory / MANIFEST).read_text())["files"]
    assert listed == {name: digest_of(content) for name, content in found.items()}


def main() -> None:
    directory, what, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    random.seed(int(sys.argv[4]))
    for _ in range(rounds):
        time.sleep(random.random() * 0.02)
        if what != "read":
            write_project(directory, PROJECTS[int(what)])
        elif directory.is_dir():
            read_settled(directory, directory / MANIFEST, lambda: check(directory))
    print("ended")


if __name__ == "__main__":
    main()
