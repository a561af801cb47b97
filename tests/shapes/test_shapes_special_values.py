"""NaN, infinities, subnormal and huge numbers in inputs: what docs/special-values.md says."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from shape_executions import compile_shape, generic_library
from shape_models import Model, Shape, expected, samples, torch_model

import scanlet
from scanlet.planning.plan import make_plan
from scanlet.targets import find

#: NumPy's meaning of a NaN is no news here.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

STEP, FEATURE = 5, 1
NOT_FINITE = (np.nan, np.inf, -np.inf)
HUGE = (1e10, -1e19, 1e30, 3e38, -3e38)
TINY = (1e-40, -1e-40, -0.0, 1.1754942e-38)

MODELS = {
    "bare": Shape(length=10, d_model=6),
    "fused": Shape(length=10, d_model=6, norm="layer", features=3),
    "normed": Shape(length=10, d_model=6, norm="rms", layers=2, inner_norm=True, tile=3),
    "pooled": Shape(length=10, d_model=6, pooling="mean", features=3, classes=3),
    "both ways": Shape(length=10, d_model=5, direction="both", tile=8),
    "mamba2": Shape(length=10, kind="mamba2"),
    "diagonal": Shape(length=10, kind="diagonal"),
}
STREAMS = {
    "bare": Shape(length=2, chunks=5, d_model=6, mode="stream"),
    "pooled": Shape(length=2, chunks=5, d_model=6, mode="stream", pooling="mean", classes=3),
    "mamba2": Shape(length=2, chunks=5, kind="mamba2", mode="stream"),
}


#: Where a TFLM kernel follows the mixer, it turns infinities into these.
LARGEST = np.finfo(np.float32).max


@cache
def made(shape: Shape) -> tuple[Model, scanlet.Compiled]:
    model = torch_model(shape)
    return model, compile_shape(shape, model)


def with_value(shape: Shape, value: float) -> np.ndarray:
    (x,) = samples(shape, 1, seed=1)
    x[0, STEP, FEATURE] = value
    return x


def same(generic: np.ndarray, tflm: np.ndarray) -> None:
    np.testing.assert_array_equal(*(np.clip(y, -LARGEST, LARGEST) for y in (generic, tflm)))


@pytest.mark.parametrize("name", MODELS)
def test_every_execution_gives_the_same_and_the_next_sample_is_clean(name: str) -> None:
    shape = MODELS[name]
    _, compiled = made(shape)
    graph = compiled.graph
    assert graph is not None
    (clean,) = samples(shape, 1, seed=1)
    expected_clean = compiled.run(clean)
    with generic_library(graph, make_plan(graph, find("generic"), tile=shape.tile)) as run:
        for value in (*NOT_FINITE, *HUGE, *TINY):
            x = with_value(shape, value)
            y = compiled.run(x)
            same(run([x])[0], y)
            if shape.pooling == "none" and shape.direction == "forward":
                np.testing.assert_array_equal(y[:, :STEP], expected_clean[:, :STEP])
            np.testing.assert_array_equal(compiled.run(clean), expected_clean)
            same(run([clean])[0], expected_clean)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("value", NOT_FINITE)
def test_what_is_not_finite_spoils_what_depends_on_it(name: str, value: float) -> None:
    """As in NumPy and in PyTorch: each later step of a mixer, of which channels mix."""
    shape = MODELS[name]
    model, compiled = made(shape)
    graph = compiled.graph
    assert graph is not None
    x = with_value(shape, value)
    spoilt = ~np.isfinite(compiled.run(x))
    np.testing.assert_array_equal(spoilt, ~np.isfinite(graph.evaluate([x], "float32")[0]))
    if name == "diagonal":  # channels stay apart; PyTorch's convolution by FFT spoils all steps
        assert spoilt[:, STEP:, FEATURE].all()
        assert spoilt.sum() == shape.length - STEP
        return
    np.testing.assert_array_equal(spoilt, ~np.isfinite(expected(model, x, torch.float32)))
    if shape.direction == "both" or shape.pooling == "mean":
        assert spoilt.all()
    else:
        assert spoilt[:, STEP:].all()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("value", TINY)
def test_tiny_inputs_count_as_pytorch_counts_them(name: str, value: float) -> None:
    shape = MODELS[name]
    model, compiled = made(shape)
    x = with_value(shape, value)
    exact = expected(model, x, torch.float32)
    np.testing.assert_allclose(compiled.run(x), exact, rtol=0, atol=2e-6 * np.abs(exact).max())


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_stays_spoilt_until_it_is_reset(name: str) -> None:
    shape = STREAMS[name]
    _, compiled = made(shape)
    (clean,) = samples(shape, 1, seed=1)
    compiled.reset()
    first = compiled.run(clean)
    for value in NOT_FINITE:
        compiled.reset()
        y = compiled.run(with_value(shape, value))
        rows = y.reshape(shape.chunks, -1)
        assert np.isfinite(rows[: STEP // shape.length]).all()
        assert not np.isfinite(rows[STEP // shape.length + 1 :]).any()
        assert not np.isfinite(compiled.run(clean)).any()
        compiled.reset()
        np.testing.assert_array_equal(compiled.run(clean), first)


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_integer_models_saturate_and_refuse_nan(precision: str) -> None:
    shape = Shape(length=10, d_model=6, precision=precision)
    _, compiled = made(shape)
    with pytest.raises(scanlet.InputError, match="holds NaN, which no integer stands for"):
        compiled.run(with_value(shape, np.nan))
    (clean,) = samples(shape, 1, seed=1)
    before = compiled.run(clean)
    for huge, limit in ((np.inf, 3e38), (-np.inf, -3e38)):
        y = compiled.run(with_value(shape, huge))
        assert np.isfinite(y).all()
        np.testing.assert_array_equal(y, compiled.run(with_value(shape, limit)))
        np.testing.assert_array_equal(y[:, :STEP], before[:, :STEP])
    zero = compiled.run(with_value(shape, 0.0))
    for tiny in TINY:
        np.testing.assert_array_equal(compiled.run(with_value(shape, tiny)), zero)


@pytest.mark.parametrize("core", ["cortex-m7", "cortex-m55", "xtensa-fpu", "rv32imc"])
def test_cores_spoil_the_same_outputs(core: str) -> None:
    shape = MODELS["normed"]
    _, compiled = made(shape)
    x = np.concatenate([with_value(shape, value) for value in (*NOT_FINITE, *TINY)])
    on_core, here = compiled.run(x, on=core), compiled.run(x)
    np.testing.assert_array_equal(np.isfinite(on_core), np.isfinite(here))
    finite = np.isfinite(here)
    scale = np.abs(here[finite]).max()
    np.testing.assert_allclose(on_core[finite], here[finite], rtol=0, atol=4e-6 * scale)
