"""C and C++ sources that are not rendered from a template are formatted and carry a licence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUFFIXES = {".c", ".cc", ".cpp", ".h", ".hpp"}
LICENCE = "// SPDX-License-Identifier: Apache-2.0"


@pytest.fixture(scope="module")
def c_files(source_files: list[Path]) -> list[Path]:
    files = [path for path in source_files if path.suffix in SUFFIXES]
    assert files, "no C sources found"
    return files


def test_c_sources_are_formatted(checkout: Path, c_files: list[Path]) -> None:
    formatter = Path(sys.executable).with_name("clang-format")
    result = subprocess.run(
        [str(formatter), "--style=file", "--dry-run", "--Werror", *map(str, c_files)],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_c_sources_and_templates_carry_the_licence(source_files: list[Path]) -> None:
    templates = {f"{suffix}.j2" for suffix in SUFFIXES}
    missing = [
        str(path)
        for path in source_files
        if (path.suffix in SUFFIXES or "".join(path.suffixes[-2:]) in templates)
        and LICENCE not in path.read_text(encoding="utf-8")[:500]
    ]
    assert missing == []
