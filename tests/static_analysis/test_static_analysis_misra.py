"""The MISRA C:2012 rules that generated C deviates from are those that docs/ answers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from analysed_projects import matching, project
from analysers import CHECKOUT

PAGE = CHECKOUT / "docs" / "coding-standard.md"
FILES = (
    *("library/selective_ssm_*.c", "library/gestures_model.c"),
    *("self_test/self_test.c", "self_test/print.c", "server/*.c"),
)


def remarks(folder: Path, files: list[Path]) -> set[str]:
    """The rules, as "10.4", that cppcheck's addon has a remark on."""
    includes = [f"-I{folder / part}" for part in ("library", "self_test", "server")]
    options = ["--addon=misra", "--std=c11", "--platform=arm32-wchar_t4", "--quiet"]
    done = subprocess.run(
        ["cppcheck", *options, "-DSCANLET_FUSED_MADD=0", "--template={id}", *includes]
        + [str(path) for path in files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"(?m)^misra-c2012-([\d.]+)$", done.stderr))


@pytest.fixture(scope="module")
def answered() -> list[str]:
    """The rules of the table in docs/coding-standard.md, in its order."""
    rules = re.findall(r"(?m)^\| (\d+\.\d+) \| [^|]+ \| \d+ \| [^|]{20,} \|$", PAGE.read_text())
    rows = re.findall(r"(?m)^\| \d+\.\d+ \|", PAGE.read_text())
    assert len(rules) == len(rows), "a row without a count or a reason"
    return rules


def test_every_deviation_is_answered_and_no_other(answered: list[str]):
    folder = project("generic")
    assert remarks(folder, matching(folder, FILES)) == set(answered)


def test_the_table_is_in_order(answered: list[str]):
    numbers = [tuple(map(int, rule.split("."))) for rule in answered]
    assert numbers == sorted(set(numbers))


def test_a_deviation_is_found(tmp_path: Path):
    source = tmp_path / "octal.c"
    source.write_text("int f(void) { return 012; }\n")
    assert "7.1" in remarks(tmp_path, [source])
