"""Integer precisions as a user drives them: compile, run, report, save, generate."""

from __future__ import annotations

import subprocess
from functools import cache

import numpy as np
import pytest
import torch
from api_integer_models import LABELS, Case, make_case
from torch import nn

import scanlet
from scanlet.nn import MambaMixer
from scanlet.project_files import verify_golden

KINDS = ("classifier", "stem", "tokens")
PRECISIONS = ("int8", "int16x8")
STORED = {"int8": "int8", "int16x8": "int16"}
#: Largest error on unseen inputs, as a share of the outputs' magnitude.
ACCURACY = {"int8": 0.05, "int16x8": 0.01}

case = cache(make_case)


@cache
def build(kind: str, precision: str) -> scanlet.Compiled:
    return case(kind).compile(precision)


def step(compiled: scanlet.Compiled) -> float:
    """The real value of one unit of the first output's integers."""
    quantization = compiled.outputs[0].quantization
    assert quantization is not None
    return quantization.scales[0]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_real_values_go_in_and_come_out_close_to_pytorch(kind, precision):
    compiled, x = build(kind, precision), case(kind).unseen
    got, expected = compiled.run(x), case(kind).expected(x)
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < ACCURACY[precision] * np.abs(expected).max()
    np.testing.assert_array_equal(compiled.run(torch.from_numpy(x[:1])), got[:1])
    assert compiled.outputs[0].dtype == STORED[precision]
    assert compiled.inputs[0].dtype == ("int32" if kind == "tokens" else STORED[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_raw_integers_are_the_real_values_by_scale_and_zero_point(kind, precision):
    compiled, x = build(kind, precision), case(kind).unseen
    given, made = compiled.inputs[0].quantization, compiled.outputs[0].quantization
    stored = x
    if kind == "tokens":
        assert given is None
    else:
        info = np.iinfo(STORED[precision])
        # In float64: in float32 a quotient close to a half rounds to the other side.
        rounded = np.round(x.astype(np.float64) / given.scales[0]) + given.zero_points[0]
        stored = np.clip(rounded, info.min, info.max).astype(STORED[precision])
    raw = compiled.run_raw(stored)
    assert raw.dtype == STORED[precision]
    real = made.scales[0] * (raw.astype(np.float64) - made.zero_points[0])
    np.testing.assert_allclose(compiled.run(x), real, rtol=1e-6)


@pytest.mark.parametrize("core", ["cortex-m4", "rv32imc"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_core_computes_the_interpreters_integers_to_one_step(kind, core):
    compiled, x = build(kind, "int8"), case(kind).unseen
    deviation = np.abs(compiled.run(x, on=core) - compiled.run(x))
    assert deviation.max() <= 1.001 * step(compiled)


def test_an_int16_model_runs_on_a_core_too():
    compiled, x = build("stem", "int16x8"), case("stem").unseen[:2]
    deviation = np.abs(compiled.run(x, on="cortex-m7") - compiled.run(x))
    assert deviation.max() <= 1.001 * step(compiled)


def test_the_cost_on_a_core_is_counted_with_the_integers_as_they_are_stored():
    compiled = build("classifier", "int8")
    cost = compiled.measure(on="cortex-m4")
    assert cost == compiled.measure(case("classifier").data[0], on="cortex-m4")
    assert (cost["input_bytes"], cost["output_bytes"]) == (12 * 5, 3)
    assert cost["instructions"] > cost["loads"] > cost["stores"] > 0
    with pytest.raises(scanlet.InputError, match="compile the model for float32"):
        compiled.measure(on="cortex-m4", naive=True)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_project_opens_to_the_same_model(kind, precision, tmp_path):
    compiled, x = build(kind, precision), case(kind).unseen
    opened = scanlet.open(compiled.save(tmp_path / "p"))
    np.testing.assert_array_equal(opened.run(x), compiled.run(x))
    assert (opened.precision, opened.report) == (precision, compiled.report)
    assert all(result.passed for result in verify_golden(opened))


def test_an_opened_project_runs_on_a_core(tmp_path):
    compiled, x = build("classifier", "int8"), case("classifier").unseen
    opened = scanlet.open(compiled.save(tmp_path / "p"))
    on_core = opened.run(x, on="cortex-m4")
    np.testing.assert_array_equal(on_core, compiled.run(x, on="cortex-m4"))
    assert np.abs(on_core - opened.run(x)).max() <= 1.001 * step(compiled)
    assert opened.measure(on="cortex-m4") == compiled.measure(on="cortex-m4")


@pytest.mark.parametrize("wrong", ["one step", "much"])
def test_golden_verification_forgives_steps_and_nothing_else(wrong, tmp_path):
    compiled = build("classifier", "int8")
    project = compiled.save(tmp_path / "p")
    path = project / "model" / "golden" / "output_1_0.npy"
    change = step(compiled) if wrong == "one step" else 4 * compiled.golden.tolerance
    np.save(path, np.load(path) + change)
    passed = [result.passed for result in verify_golden(scanlet.open(project))]
    assert passed == [True, wrong == "one step", True]


# -- the report --------------------------------------------------------------------------------
def test_the_report_lists_tensors_worst_first_with_the_state():
    report = build("stem", "int8").report
    ratios = [row["noise_db"] for row in report["quantization"]["sensitivity"]]
    assert ratios == sorted(ratios)
    assert 10 < ratios[0] < 60
    names = {row["name"] for row in report["quantization"]["sensitivity"]}
    assert {report["model"]["inputs"][0]["name"], report["model"]["outputs"][0]["name"]} <= names
    assert report["quantization"]["state"] == "int16"
    assert report["precision"] == "int8"
    assert report["verification"]["samples"] == 24
    assert report["verification"]["label_agreement"] > 0.9
    assert build("stem", "int16x8").report["quantization"]["sensitivity"][0]["noise_db"] > ratios[0]


def test_what_no_integer_kernel_computes_is_an_island_of_the_report():
    islands = build("stem", "int8").report["quantization"]["islands"]
    by_modules = {tuple(island["modules"]): " ".join(island["reasons"]) for island in islands}
    assert set(by_modules) == {("last_norm",), ("activation",)}
    assert by_modules["last_norm",] == "square has no integer kernel rsqrt has no integer kernel"
    assert "gelu has no integer kernel" in by_modules["activation",]
    operators = [op["name"] for op in build("stem", "int8").report["operators"]]
    assert operators.count("DEQUANTIZE") == operators.count("QUANTIZE") == 2
    assert build("classifier", "int8").report["quantization"]["islands"] == []


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_precision_islands_and_noise(kind, precision, tmp_path):
    compiled = build(kind, precision)
    page = (compiled.save(tmp_path / "p") / "report.html").read_text()
    assert f"{precision}, recurrent state in int16." in page
    worst = compiled.report["quantization"]["sensitivity"][0]
    assert f"<td>{worst['name']}</td><td>{worst['dtype']}</td>" in page
    assert f"{worst['noise_db']:.1f} dB" in page
    assert ("gelu has no integer kernel" in page) == (kind == "stem")


@pytest.mark.parametrize("module", ["mixer", "head"])
def test_a_named_module_stays_in_float_even_where_it_would_be_fused(module, tmp_path):
    compiled = case("classifier").compile(float_modules=module)
    (island,) = compiled.report["quantization"]["islands"]
    assert island["modules"] == [module]
    assert island["reasons"] == [f"float_modules names {module!r}"]
    x = case("classifier").unseen
    assert np.abs(compiled.run(x) - case("classifier").expected(x)).max() < 0.05
    opened = scanlet.open(compiled.save(tmp_path / "p"))
    np.testing.assert_array_equal(opened.run(x), compiled.run(x))
    assert np.abs(opened.run(x, on="cortex-m4") - compiled.run(x)).max() <= 1.001 * step(compiled)


# -- stream mode -------------------------------------------------------------------------------
@pytest.mark.parametrize("precision", PRECISIONS)
def test_chunks_of_a_stream_equal_one_long_sequence(precision):
    torch.manual_seed(7)
    model = nn.Sequential(MambaMixer(6, d_state=4), nn.Linear(6, 2)).eval()
    x = np.random.default_rng(8).standard_normal((20, 1, 12, 6)).astype(np.float32)
    whole = Case(model, x, x).compile(precision, mode="stream")
    stream = Case(model, x, x).compile(precision, mode="stream", chunk=4)
    for sample in x[:3]:
        parts = []
        for _ in range(2):
            whole.reset()
            stream.reset()
            expected = whole.run(sample)
            parts.append([stream.run(sample[:, t : t + 4]) for t in (0, 4, 8)])
            got = np.concatenate(parts[-1], axis=1)
            np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(parts[0], parts[1])
        carried_on = stream.run(sample[:, :4])
        assert not np.array_equal(carried_on, parts[0][0])
        with torch.no_grad():
            real = model(torch.from_numpy(sample)).numpy()
        assert np.abs(got - real).max() < ACCURACY[precision] * np.abs(real).max()
    with pytest.raises(scanlet.InputError, match="stream"):
        stream.run(x[:2, 0, :4])


# -- generated code ----------------------------------------------------------------------------
def test_the_esp_idf_project_states_scales_and_stores_integers(tmp_path):
    compiled = build("classifier", "int8")
    project = compiled.save(tmp_path / "p")
    config = (project / "model" / "model_config.h").read_text()
    given, made = compiled.inputs[0].quantization, compiled.outputs[0].quantization
    for tensor, quantization in (("input0", given), ("output0", made)):
        assert f"{tensor}.dtype=int8" in config
        assert f"{tensor}.scale={np.float32(quantization.scales[0])!s}\\n" in config
        assert f"{tensor}.zero_point={quantization.zero_points[0]}\\n" in config
    readme = (project / "README.md").read_text()
    assert given.zero_points[0] < 0
    offset = f"(stored + {-given.zero_points[0]})"
    assert f"value = {np.float32(given.scales[0])!s} * {offset}" in readme
    assert all(f"Class {i}: {label}" in readme for i, label in enumerate(LABELS))
    golden = (project / "model" / "golden.cc").read_text()
    assert "const int8_t kInput0_0[60]" in golden
    assert "const int8_t kOutput2_0[3]" in golden
    body = golden.split("kOutput0_0[3] = {")[1].split("}")[0]
    stored = np.array([int(number) for number in body.split(",") if number.strip()])
    compiled.reset()
    on_tflm = compiled.run(case("classifier").data[0])
    np.testing.assert_allclose(  # not PyTorch's, but what integers give
        made.scales[0] * (stored - made.zero_points[0]), on_tflm[0], atol=1.01 * step(compiled)
    )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_library_compiles_here_and_gives_the_interpreters_integers(precision, tmp_path):
    compiled = case("classifier").compile(precision, target="generic", name="lib")
    library = compiled.save(tmp_path / "p") / "library"
    kind = f"{STORED[precision]}_t"
    (tmp_path / "main.c").write_text(f"""
    #include <stdio.h>
    #include "lib_model.h"
    static {kind} x[LIB_INPUT_0_SIZE], y[LIB_OUTPUT_0_SIZE];
    int main(void) {{
      lib_init();
      while (fread(x, sizeof x, 1, stdin) == 1) {{
        if (lib_run(x, y) != 0) return 2;
        fwrite(y, sizeof y, 1, stdout);
      }}
      fprintf(stderr, "%.9g %d", (double)LIB_OUTPUT_0_SCALE, LIB_OUTPUT_0_ZERO_POINT);
      return 0;
    }}
    """)
    sources = [str(path) for path in library.glob("*.c")]
    command = ["gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{library}", *sources]
    subprocess.run([*command, "main.c", "-o", "run"], cwd=tmp_path, check=True)
    (stored,) = compiled.stored_inputs([case("classifier").unseen])
    done = subprocess.run(
        ["./run"], cwd=tmp_path, input=stored.tobytes(), capture_output=True, check=True
    )
    got = np.frombuffer(done.stdout, STORED[precision]).reshape(-1, 3)
    np.testing.assert_array_equal(got, compiled.run_raw(stored))
    scale, zero_point = done.stderr.split()
    made = compiled.outputs[0].quantization
    assert (float(scale), int(zero_point)) == (pytest.approx(made.scales[0]), made.zero_points[0])
