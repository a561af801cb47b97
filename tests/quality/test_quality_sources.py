"""Sources stay short, and name no place that exists on one machine only."""

from __future__ import annotations

import re
from pathlib import Path

import tomllib

LONGEST = 400
# What a whole run may take, less six minutes for setting up.
CI_SECONDS = 34 * 60
CORES = 2
CODE = {".py", ".c", ".cc", ".h", ".j2", ".sh"}
# Spelled in pieces, so that this file does not hold what it looks for.
ONE_MACHINES_PLACES = re.compile("/(" + "|".join(["wo" + "rk", "ro" + "ot", "tm" + "p/ref"]) + ")/")


def test_no_source_file_is_long(source_files: list[Path]) -> None:
    lengths = {
        str(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in source_files
        if path.suffix in CODE
    }
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_no_source_file_names_a_place_of_one_machine(source_files: list[Path]) -> None:
    texts = CODE | {".md", ".toml", ".txt", ".html", ".yml", ""}
    found = [
        f"{path}: {match.group()}"
        for path in source_files
        if path.suffix in texts
        for match in ONE_MACHINES_PLACES.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_no_two_tests_share_a_file_name(checkout: Path) -> None:
    names = [path.name for path in (checkout / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_every_layer_of_tests_has_a_budget(checkout: Path) -> None:
    with (checkout / "tests" / "layer_budgets.toml").open("rb") as file:
        budgets = tomllib.load(file)["seconds"]
    layers = {path.parent.name for path in (checkout / "tests").glob("*/test_*.py")}
    assert set(budgets) == layers
    assert sum(budgets.values()) <= CI_SECONDS * CORES
