"""Integer layers with a float32 state as source code: warnings, format, symbols, comments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from float_state_cases import float_state_case
from operator_harness import STRICT, compile_files, render, write_files

CHECKOUT = Path(__file__).resolve().parents[2]
#: Layers that take every branch of the template.
LAYERS = (
    (1, {"d_conv": 1}),
    (5, {"linear": True, "norm": "layer"}),
    (4, {"activation": "int16", "d_state": 16, "pooling": "mean"}),
    (4, {"mode": "stream"}),
)


@pytest.fixture(scope="module", params=["generic", "cortex-m7", "cortex-m55", "esp32s3"])
def component(request: pytest.FixtureRequest) -> dict[str, str]:
    plans = [
        float_state_case(0, **options).plan(tile, request.param, index)
        for index, (tile, options) in enumerate(LAYERS)
    ]
    return render(plans, target=request.param)


@pytest.mark.parametrize("compiler", ["gcc", "clang-22"])
def test_c_compiles_without_warnings(component: dict[str, str], compiler: str) -> None:
    output = ["-c", "selective_ssm_model.c", "-o", "model.o"]
    compile_files(component, [compiler, "-std=c11", "-O2", *STRICT, *output], "model.o")


def test_sources_are_formatted(component: dict[str, str], tmp_path: Path) -> None:
    style = (CHECKOUT / ".clang-format").read_text("utf-8")
    write_files(tmp_path, {**component, ".clang-format": style})
    formatter = Path(sys.executable).with_name("clang-format")
    result = subprocess.run(
        [str(formatter), "--style=file", "--dry-run", "--Werror", *sorted(component)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_no_library_is_needed(component: dict[str, str]) -> None:
    command = ["gcc", "-std=c11", "-O2", "-fno-pie", "-c", "selective_ssm_model.c", "-o", "bare.o"]
    directory = compile_files(component, command, "bare.o")
    listing = subprocess.run(
        ["nm", str(directory / "bare.o")], capture_output=True, text=True, check=True
    ).stdout
    symbols = [line.split()[-2:] for line in listing.splitlines()]
    undefined = {name for kind, name in symbols if kind == "U"}
    assert undefined <= {"memset", "memcpy", "memmove", "__stack_chk_fail"}
    assert not {name for kind, name in symbols if kind in "bBdDC"}


def test_the_comment_says_what_is_float(component: dict[str, str]) -> None:
    source = component["selective_ssm_model.c"]
    assert "The recurrence is in float32." in source
    assert "recurrent state (d_inner, d_state), float" in source
    assert "decay 15" not in source
