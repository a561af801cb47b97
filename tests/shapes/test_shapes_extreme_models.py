"""Weights and calibration data far from ordinary: they work, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from shape_executions import compile_shape
from shape_models import Model, Shape, expected, samples, torch_model

import scanlet

SHAPE = Shape(length=10, d_model=6, features=3, classes=3)
MIXER = "blocks.0.mixer"


def changed(precision: str, change: Callable[[Model], object]) -> tuple[Shape, Model]:
    shape = Shape(length=10, d_model=6, features=3, classes=3, precision=precision)
    model = torch_model(shape)
    with torch.no_grad():
        change(model)
    return shape, model


def no_weight_at_all(model: Model) -> None:
    for parameter in model.parameters():
        parameter.zero_()


#: What is done to the model, and how far its outputs may be off, of their magnitude, in int8.
WORKING: dict[str, tuple[Callable[[Model], object], float]] = {
    "huge out_proj": (lambda m: m.get_parameter(f"{MIXER}.out_proj.weight").mul_(1e20), 0.25),
    "huge D": (lambda m: m.get_parameter(f"{MIXER}.D").fill_(1e20), 0.4),
    "no decay": (lambda m: m.get_parameter(f"{MIXER}.A_log").fill_(-200), 0.05),
    "no memory": (lambda m: m.get_parameter(f"{MIXER}.A_log").fill_(80), 0.05),
    "no steps": (lambda m: m.get_parameter(f"{MIXER}.dt_proj.bias").fill_(-1e20), 0.05),
    "subnormal in_proj": (lambda m: m.get_parameter(f"{MIXER}.in_proj.weight").mul_(1e-40), 0.05),
    "zero convolution": (lambda m: m.get_parameter(f"{MIXER}.conv1d.weight").zero_(), 0.05),
    "all zero": (no_weight_at_all, 0.0),
}


@pytest.mark.parametrize("what", WORKING)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_extreme_weights_work(what: str, precision: str) -> None:
    change, off = WORKING[what]
    shape, model = changed(precision, change)
    compiled = compile_shape(shape, model)
    (x,) = samples(shape, 1, seed=1)
    exact = expected(model, x, torch.float32)
    accepted = (2e-6 if precision == "float32" else off) * np.abs(exact).max()
    np.testing.assert_allclose(compiled.run(x), exact, rtol=0, atol=accepted)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_weights_that_overflow_are_refused_by_name(precision: str) -> None:
    shape, model = changed(
        precision, lambda m: m.get_parameter(f"{MIXER}.in_proj.weight").mul_(1e20)
    )
    with pytest.raises(
        scanlet.InvalidModelError, match=r"blocks\.0\.mixer: becomes NaN or infinite"
    ):
        compile_shape(shape, model)
    shape, model = changed(precision, lambda m: m.get_parameter(f"{MIXER}.A_log").fill_(100))
    with pytest.raises(scanlet.InvalidModelError, match="A_log reaches 100"):
        compile_shape(shape, model)


@pytest.mark.parametrize(
    ("precision", "value"), [("int8", 0.0), ("int8", 5.0), ("int8", 1e-40), ("int16x8", 5.0)]
)
def test_calibration_without_a_range_works_and_warns(precision: str, value: float) -> None:
    data = [np.full((1, 10, 3), value, np.float32)] * 3
    model = torch_model(SHAPE)
    compiled = scanlet.compile(
        model, torch.from_numpy(data[0]), calibration_data=data, precision=precision, progress=False
    )
    assert any("'x' is" in warning for warning in compiled.report["warnings"])
    assert np.isfinite(compiled.run(samples(SHAPE, 1, seed=1)[0])).all()
    exact = expected(model, data[0], torch.float32)
    np.testing.assert_allclose(
        compiled.run(data[0]), exact, rtol=0, atol=0.05 * np.abs(exact).max()
    )


@pytest.mark.parametrize("value", [1e30, -3e38])
def test_calibration_beyond_float_is_refused(value: float) -> None:
    data = [np.full((1, 10, 3), value, np.float32)] * 3
    with pytest.raises(scanlet.CalibrationError, match="becomes NaN or infinite"):
        scanlet.compile(
            torch_model(SHAPE),
            torch.zeros(1, 10, 3),
            calibration_data=data,
            precision="int8",
            progress=False,
        )
