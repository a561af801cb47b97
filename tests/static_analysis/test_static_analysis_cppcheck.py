"""cppcheck finds nothing in what is generated, in the C that each core gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from analysed_projects import matching, project
from analysers import cppcheck

LIBRARY = ("library/selective_ssm_*.c", "library/gestures_model.c")
ARM = ("__arm__=1", "__ARM_ARCH_PROFILE=77", "__ARM_FP=14", "__ARM_FEATURE_DSP=1")
#: Project, files, what the core's compiler defines.
C_SOURCES: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("generic", (*LIBRARY, "self_test/*.c", "server/*.c", "main/*.c"), ()),
    (
        "stm32h7",
        (*LIBRARY, "self_test/*.c", "main/*.c", "startup/*.c", "boards/*/*.c"),
        (*ARM, "__ARM_FEATURE_SAT=1"),
    ),
    ("cortex-m55", LIBRARY, (*ARM, "__ARM_FEATURE_MVE=3")),
    ("esp32s3", ("components/selective_ssm/*.c",), ("__XTENSA__=1",)),
]
PARTS = ("library", "self_test", "server", "startup", "main", "model", "components/selective_ssm")


def includes(folder: Path) -> list[str]:
    return [f"-I{folder / part}" for part in PARTS if (folder / part).is_dir()]


@pytest.mark.parametrize(
    ("name", "patterns", "defines"), C_SOURCES, ids=[row[0] for row in C_SOURCES]
)
def test_cppcheck_finds_nothing_in_generated_c(
    name: str, patterns: tuple[str, ...], defines: tuple[str, ...]
):
    folder = project(name)
    macros = ["__OPTIMIZE__=1", f"SCANLET_FUSED_MADD={len(defines) > 0:d}", *defines]
    flags = ["--std=c11", "--platform=arm32-wchar_t4", *(f"-D{macro}" for macro in macros)]
    assert cppcheck(matching(folder, patterns), [*flags, *includes(folder)]) == []


def test_cppcheck_finds_nothing_in_the_registration_and_the_application():
    folder = project("application")
    files = matching(folder, ("main/*.cc", "model/*.cc", "components/selective_ssm/*.cc"))
    assert cppcheck(files, ["--std=c++14", *includes(folder)]) == []


def test_a_defect_is_found(tmp_path: Path):
    source = tmp_path / "defect.c"
    source.write_text("int last(void) { int a[4] = {0}; return a[4]; }\n")
    assert "arrayIndexOutOfBounds" in cppcheck([source], ["--std=c11"])[0]
