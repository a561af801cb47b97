"""Integer layers as source code: warnings, format, symbols, no float, nothing of the length."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from integer_cases import random_case
from operator_harness import STRICT, compile_files, make_plan, random_weights, render, write_files

from scanlet.errors import EmitError, UnsupportedModelError
from scanlet.planning.layer import LayerPlan

CHECKOUT = Path(__file__).resolve().parents[2]
TARGETS = ("generic", "cortex-m7", "cortex-m55", "esp32s3")
#: Layers that take every branch of the template.
LAYERS: tuple[tuple[int, dict[str, Any]], ...] = (
    (1, {"d_conv": 1}),
    (5, {"linear": True, "norm": "layer"}),
    (4, {"activation": "int16", "norm": "rms", "residual": True, "reverse": True}),
    (4, {"residual": True, "pooling": "mean"}),
    (8, {"activation": "int16", "residual": True, "pooling": "last", "reverse": True}),
    (4, {"mode": "stream"}),
)


@pytest.fixture(scope="module", params=TARGETS)
def component(request: pytest.FixtureRequest) -> dict[str, str]:
    plans: list[LayerPlan] = []
    for tile, options in LAYERS:
        plans.append(random_case(0, **options).plan(tile, request.param, len(plans)))
    return render(plans, target=request.param)


@pytest.mark.parametrize("compiler", ["gcc", "clang-22"])
def test_integer_c_compiles_without_warnings(component: dict[str, str], compiler: str) -> None:
    output = ["-c", "selective_ssm_model.c", "-o", "model.o"]
    compile_files(component, [compiler, "-std=c11", "-O2", *STRICT, *output], "model.o")


def test_integer_sources_are_formatted(component: dict[str, str], tmp_path: Path) -> None:
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


def test_integer_layers_need_no_library_and_no_float(component: dict[str, str]) -> None:
    command = ["gcc", "-std=c11", "-O2", "-fno-pie", "-c", "selective_ssm_model.c", "-o", "bare.o"]
    directory = compile_files(component, command, "bare.o")
    listing = subprocess.run(
        ["nm", str(directory / "bare.o")], capture_output=True, text=True, check=True
    ).stdout
    symbols = [line.split()[-2:] for line in listing.splitlines()]
    undefined = {name for kind, name in symbols if kind == "U"}
    assert undefined <= {"memset", "memcpy", "memmove", "__stack_chk_fail"}
    assert not {name for kind, name in symbols if kind in "bBdDC"}
    kernels = [text for path, text in component.items() if re.match(r"kernels/int_", path)]
    layers = component["selective_ssm_model.c"].split("#define SCANLET_INT_LAYOUT")[1]
    for text in (*kernels, layers.split("\nconst scanlet_layer")[0]):
        code = re.sub(r"//.*", "", text)
        assert not re.search(r"\b(float|double)\b|\d\.\d", code)


def test_no_length_appears_in_integer_sources() -> None:
    short, long = (random_case(0, length=n).plan(4, "generic") for n in (1, 321))
    assert render([short], target="generic") == render([long], target="generic")


def test_the_comment_of_an_integer_layer_tells_its_formats(component: dict[str, str]) -> None:
    source = component["selective_ssm_model.c"]
    assert "x (L, 5) -> y (L, 7), L >= 1, time tiles of 5 steps" in source
    assert "int8 outside, zero points" in source
    assert "int16 outside, zero points 0 and 0" in source
    assert "Fractional bits: softplus' argument" in source


def test_a_float_component_carries_no_integer_kernels() -> None:
    source = render([make_plan(random_weights(np.random.default_rng(0)))])["selective_ssm_model.c"]
    assert "int_kernels" not in source


def test_layers_of_other_kernels_are_refused() -> None:
    plan = random_case(0).plan(4, "cortex-m7")
    with pytest.raises(EmitError, match="planned for other kernels than those of cortex-m55"):
        render([plan], target="cortex-m55")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"d_conv": 25}, "d_conv: 25, integers hold 24"),
        ({"norm": "rms", "features": 1025}, "features under a norm: 1025"),
        ({"d_state": 1025, "d_inner": 1}, "d_state: 1025"),
        ({"pooling": "mean", "length": 65536, "d_inner": 1, "features": 1}, "65536"),
    ],
)
def test_shapes_beyond_the_integers_are_refused(options: dict[str, Any], words: str) -> None:
    case = random_case(0, extreme=True, **options)
    with pytest.raises(UnsupportedModelError, match=words):
        case.plan(4, "generic")
