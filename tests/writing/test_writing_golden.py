"""Golden vectors: made by the network's own C, near PyTorch, the same on a core to the last bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import reproducible_compile
import torch

import scanlet
from scanlet.compilation import golden
from scanlet.execution import shared_library
from scanlet.execution.on_core import core_target, run_on_core
from scanlet.planning.plan import make_plan

EXAMPLE = torch.zeros(1, reproducible_compile.LENGTH, reproducible_compile.FEATURES)


@pytest.fixture(scope="module", params=["float32", "int8"])
def compiled(request) -> scanlet.Compiled:
    data = reproducible_compile.samples(6)
    return scanlet.compile(
        reproducible_compile.factory(),
        EXAMPLE,
        precision=request.param,
        calibration_data=data,
        progress=False,
    )


def test_golden_outputs_are_those_of_a_core_without_fused_multiply_adds(compiled):
    target = core_target("cortex-m4")
    stored = [tuple(compiled.stored_inputs(sample)) for sample in compiled.golden.inputs]
    plan = make_plan(compiled.graph, target, tile=3)
    for outputs, expected in zip(
        run_on_core(compiled.graph, plan, stored, fused=False),
        compiled.golden.outputs,
        strict=True,
    ):
        np.testing.assert_array_equal(compiled.real_outputs(outputs)[0], expected[0])
    assert compiled.report["golden"]["made_by"] == "generic-c"


def test_golden_outputs_are_pytorchs_within_what_the_report_says(compiled):
    model = reproducible_compile.factory()
    accepted = compiled.report["verification"]["tolerance"]
    for (x,), (y,) in zip(compiled.golden.inputs, compiled.golden.outputs, strict=True):
        with torch.no_grad():
            want = model(torch.from_numpy(x)).numpy()
        assert np.abs(y - want).max() <= accepted
        if compiled.precision == "float32":
            np.testing.assert_allclose(y, want, atol=2e-6)


def test_inputs_are_the_samples_that_were_given(compiled):
    given = reproducible_compile.samples(6)[: golden.SAMPLES]
    for (x,), sample in zip(compiled.golden.inputs, given, strict=True):
        np.testing.assert_array_equal(x, sample)


def test_some_steps_of_the_output_pass_and_more_do_not(compiled):
    quantization = compiled.outputs[0].quantization
    if quantization is None:
        assert compiled.golden.tolerance < 1e-3
        return
    steps = compiled.golden.tolerance / quantization.scales[0]
    assert golden.DEVICE_STEPS <= steps < golden.DEVICE_STEPS + 3


def test_a_library_that_deviates_from_pytorch_is_refused(compiled):
    def other(*_sample):
        return [compiled.golden.outputs[0][0] + 1.0]

    copy = dataclasses.replace(compiled, warnings=[])
    with pytest.raises(scanlet.VerificationError, match="deviate from PyTorch"):
        golden.golden_vectors(copy, compiled.golden.inputs, other, compiled.verification, 1e-3)


def test_without_a_compiler_numpy_makes_them_and_the_report_says_so(monkeypatch):
    def missing(*_args):
        raise scanlet.MissingToolError("the compiler 'cc' is not installed")

    monkeypatch.setattr(shared_library, "_compiler", missing)
    model = reproducible_compile.factory()
    made = scanlet.compile(model, EXAMPLE, progress=False)
    assert made.report["golden"]["made_by"] == "numpy"
    assert made.report["verification"]["ran_on"] == "numpy"
    assert any("golden vectors are NumPy's" in text for text in made.report["warnings"])


def test_without_the_interpreter_the_c_library_is_verified(monkeypatch):
    from scanlet.execution import host

    def missing(*_args, **_kwargs):
        raise scanlet.MissingToolError("no interpreter wheel for this platform")

    monkeypatch.setattr(host, "HostInterpreter", missing)
    model = reproducible_compile.factory()
    for options in ({}, {"mode": "stream", "chunk": 8, "pooling": "mean"}):
        made = scanlet.compile(model, EXAMPLE, progress=False, **options)
        assert made.report["verification"]["ran_on"] == "generic-c"
        assert made.report["verification"]["max_error"] < 1e-5
        assert "only the generic C library" in made.report["warnings"][0]
