"""clang-tidy finds nothing in what is generated: the checks of .clang-tidy, on every core's C."""

from __future__ import annotations

from pathlib import Path

import pytest
from analysed_projects import matching, project
from analysers import STUBS, clang_tidy, core_flags

LIBRARY = ("library/selective_ssm_*.c", "library/gestures_model.c")
#: Project, core, files. Each kernel is analysed for each core once.
C_SOURCES = [
    ("generic", "portable", LIBRARY),
    ("generic", "here", ("main/*.c", "server/*.c")),
    ("stream", "portable", (*LIBRARY, "self_test/*.c")),
    (
        "stm32h7",
        "cortex-m7",
        ("library/*.c", "self_test/*.c", "main/*.c", "startup/*.c", "boards/*/*.c"),
    ),
    ("cortex-m55", "cortex-m55", LIBRARY),
    ("esp32s3", "xtensa", ("components/selective_ssm/*.c",)),
    ("application", "xtensa", ("main/serial/*.c",)),
]
NAMES = [f"{name}-{core}" for name, core, _ in C_SOURCES]
FOLDERS = ("library", "self_test", "server", "startup", "components/selective_ssm")


@pytest.mark.parametrize(("name", "core", "patterns"), C_SOURCES, ids=NAMES)
def test_clang_tidy_finds_nothing_in_generated_c(name: str, core: str, patterns: tuple[str, ...]):
    folder = project(name)
    includes = [f"-I{folder / part}" for part in FOLDERS if (folder / part).is_dir()]
    flags = ["-std=c11", *core_flags(core), *includes]
    assert clang_tidy(matching(folder, patterns), flags) == []


def test_clang_tidy_finds_nothing_in_the_registration_and_the_application():
    folder = project("application")
    parts = ("main", "model", "components/selective_ssm")
    files = matching(folder, tuple(f"{part}/*.cc" for part in parts))
    assert len(files) >= 10
    includes = [f"-I{folder / part}" for part in parts]
    stubs = [word for stub in STUBS for word in ("-isystem", stub)]
    flags = ["-std=gnu++17", "-fno-exceptions", "-fno-rtti", *includes, *stubs]
    assert clang_tidy(files, flags) == []


def test_a_defect_is_found(tmp_path: Path):
    source = tmp_path / "defect.c"
    source.write_text("int zero(int d) { const int* p = 0; return d > 0 ? *p : 0; }\n")
    found = clang_tidy([source], core_flags("cortex-m7"))
    assert any("clang-analyzer-core.NullDereference" in line for line in found)
