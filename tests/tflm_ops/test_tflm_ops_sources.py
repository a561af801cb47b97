"""The generated component as source code: warnings, format, symbols, independence of the length."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from operator_harness import (
    CHECKED,
    LAYER_MAIN,
    STRICT,
    build_layers,
    compile_files,
    make_plan,
    random_weights,
    render,
    run_layer,
    write_files,
)
from relative_cases import (
    OPTIONAL,
    diagonal_operator,
    diagonal_weights,
    mamba2_operator,
    mamba2_weights,
    plan_of,
)

from scanlet.planning.layer import LayerPlan

CHECKOUT = Path(__file__).resolve().parents[2]
EVERY_BIAS = ("input_bias", "norm_weight", "norm_bias", "in_proj_bias", "conv_bias")


@pytest.fixture(scope="module")
def component() -> dict[str, str]:
    """Layers that take every branch of the template."""
    plans: list[LayerPlan] = []
    for optional, options in (
        (frozenset(), {"tile": 1}),
        (frozenset({"input_weight", "out_proj_bias", *EVERY_BIAS}), {"norm": "layer", "tile": 5}),
        (frozenset({"norm_weight"}), {"norm": "rms", "residual": True, "reverse": True}),
        (frozenset({"conv_bias"}), {"residual": True, "pooling": "mean"}),
        (frozenset(), {"residual": True, "pooling": "last", "reverse": True, "tile": 8}),
        (frozenset({"b_norm_weight"}), {"inner_norm": "rms", "inner_norm_eps": 1e-6}),
        (frozenset(), {"mode": "stream"}),
    ):
        d_conv = 1 if options.get("mode") else 4
        weights = random_weights(np.random.default_rng(0), optional, d_conv=d_conv)
        plans.append(make_plan(weights, index=len(plans), norm_eps=1e-5, **options))
    rng = np.random.default_rng(1)
    for names, options in (
        (frozenset(), {"norm_groups": 0, "mode": "stream"}),
        (frozenset(OPTIONAL), {"norm_before_gate": True, "dt_max": 0.5, "reverse": True}),
    ):
        taps = 1 if options.get("mode") else 4
        weights = mamba2_weights(rng, names, d_conv=taps)
        plans.append(plan_of(mamba2_operator(weights, **options), weights, index=len(plans)))
    for is_complex in (True, False):
        weights = diagonal_weights(rng, complex=is_complex)
        op = diagonal_operator(weights, reverse=is_complex)
        plans.append(plan_of(op, weights, index=len(plans)))
    return render(plans)


@pytest.mark.parametrize("compiler", ["gcc", "clang-22"])
@pytest.mark.parametrize("fused", [0, 1])
def test_c_compiles_without_warnings(component: dict[str, str], compiler: str, fused: int) -> None:
    defines = [f"-DSCANLET_FUSED_MADD={fused}", "-c", "selective_ssm_model.c", "-o", "model.o"]
    compile_files(component, [compiler, "-std=c11", "-O2", *STRICT, *defines], "model.o")


def test_registration_compiles_without_warnings_for_the_host(component: dict[str, str]) -> None:
    flags = ["-std=gnu++14", "-O2", "-fno-exceptions", "-fno-rtti", "-DSCANLET_HOST_REGISTERER=f"]
    strict = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-c"]
    source = ["selective_ssm_model_registration.cc", "-o", "registration.o"]
    compile_files(component, ["g++", *flags, *strict, *source], "registration.o")


def test_a_component_without_mixers_compiles() -> None:
    defines = ["-c", "selective_ssm_model.c", "-o", "model.o"]
    compile_files(render([]), ["gcc", "-std=c11", "-O2", *STRICT, *defines], "model.o")


def test_generated_sources_are_formatted(component: dict[str, str], tmp_path: Path) -> None:
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


def test_the_operator_needs_no_library(component: dict[str, str]) -> None:
    """No libm, no malloc, no writable globals; memory functions are the compiler's own."""
    command = ["gcc", "-std=c11", "-O2", "-fno-pie", "-c", "selective_ssm_model.c", "-o", "bare.o"]
    directory = compile_files(component, command, "bare.o")
    listing = subprocess.run(
        ["nm", str(directory / "bare.o")], capture_output=True, text=True, check=True
    ).stdout
    symbols = [line.split()[-2:] for line in listing.splitlines()]
    undefined = {name for kind, name in symbols if kind == "U"}
    assert undefined <= {"memset", "memcpy", "memmove", "__stack_chk_fail"}
    assert not {name for kind, name in symbols if kind in "bBdDC"}


def test_no_length_appears_in_the_sources() -> None:
    weights = random_weights(np.random.default_rng(0))
    short, long = (render([make_plan(weights, length=length)]) for length in (1, 98765))
    assert short == long


def test_equal_layers_share_one_function() -> None:
    weights = random_weights(np.random.default_rng(0))
    other = random_weights(np.random.default_rng(0), d_state=4)
    plans = [make_plan(w, index=i) for i, w in enumerate((weights, other, weights))]
    source = render(plans)["selective_ssm_model.c"]
    assert re.findall(r"^static void (\w+)\(", source, re.MULTILINE) == ["layer0_run", "layer1_run"]
    assert "#define MODEL_LAYER_COUNT 2" in render(plans)["selective_ssm_model.h"]


def test_two_components_run_in_one_program() -> None:
    """Both hold the same kernels and a layer of the same name."""
    layers, files = {}, {"main.c": LAYER_MAIN}
    for name, d_inner in (("first", 6), ("second", 9)):
        weights = random_weights(np.random.default_rng(d_inner), d_inner=d_inner)
        layers[name] = (make_plan(weights), weights)
        files |= render([layers[name][0]], name)
    objects = [f"selective_ssm_{name}.c" for name in layers]
    x = np.random.default_rng(0).standard_normal((5, 7), np.float32)
    for name, (plan, weights) in layers.items():
        main = [f'-DHEADER="selective_ssm_{name}.h"', f"-DLAYERS={name}_layers", "main.c"]
        both = compile_files(files, ["gcc", *CHECKED, *main, *objects, "-o", "program"])
        alone, _ = run_layer(build_layers([plan]), plan, weights, x)
        y, _ = run_layer(both / "program", plan, weights, x)
        assert y.tobytes() == alone.tobytes()


def test_the_header_comment_tells_what_an_engineer_asks(component: dict[str, str]) -> None:
    source = component["selective_ssm_model.c"]
    assert "x (L, 5) -> y (L, 7), L >= 1, time tiles of 5 steps" in source
    assert "fused: input Linear, layer pre-norm" in source
    assert "All numbers are float32" in source
    for table in ("scratch", "state"):
        assert re.search(rf"//   {table}, \d+ bytes", source)
