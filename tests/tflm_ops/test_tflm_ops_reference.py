"""The generated C against the operator's NumPy meaning in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_harness import build_layers, make_plan, random_weights, run_layer

from scanlet.graph.operators import SelectiveSSM
from scanlet.planning.layer import LayerPlan

#: Errors in units of float32's eps times the scale of the output. Sums of random sign grow with
#: the root of their depth, and the recurrence adds one rounding a step.
UNITS = 40
EPS = float(np.finfo(np.float32).eps)
LENGTHS = (1, 2, 3, 5, 17, 100)

BIASES = ("input_bias", "norm_weight", "norm_bias", "in_proj_bias", "conv_bias", "out_proj_bias")
FUSED_LINEAR = frozenset({"input_weight", "input_bias"})
INNER_NORMS = frozenset({"dt_norm_weight", "b_norm_weight", "c_norm_weight"})
#: (optional weights, options); d_model equals d_out, so that a residual fits.
CASES: dict[str, tuple[frozenset[str], dict[str, Any]]] = {
    "bare": (frozenset(), {}),
    "every weight": (FUSED_LINEAR | set(BIASES), {"norm": "layer", "norm_eps": 1e-5}),
    "everything backwards": (
        FUSED_LINEAR | set(BIASES),
        {"norm": "rms", "norm_eps": 1e-5, "residual": True, "reverse": True},
    ),
    "input linear": (FUSED_LINEAR, {}),
    "input linear without bias": (frozenset({"input_weight"}), {}),
    "in_proj bias": (frozenset({"in_proj_bias"}), {}),
    "conv bias": (frozenset({"conv_bias"}), {}),
    "out_proj bias": (frozenset({"out_proj_bias"}), {}),
    "layer norm": (frozenset(), {"norm": "layer", "norm_eps": 1e-5}),
    "layer norm, weight": (frozenset({"norm_weight"}), {"norm": "layer", "norm_eps": 1e-3}),
    "layer norm, bias": (frozenset({"norm_bias"}), {"norm": "layer", "norm_eps": 1e-5}),
    "rms norm": (frozenset({"norm_weight"}), {"norm": "rms", "norm_eps": 1e-6}),
    "inner norms": (INNER_NORMS, {"inner_norm": "rms", "inner_norm_eps": 1e-5}),
    "inner norms without weights": (
        frozenset({"conv_bias"}),
        {"inner_norm": "rms", "inner_norm_eps": 1e-2, "pooling": "mean"},
    ),
    "inner norms, one weight": (
        frozenset({"b_norm_weight"}),
        {"inner_norm": "rms", "inner_norm_eps": 1e-6, "norm": "rms", "residual": True},
    ),
    "reverse": (frozenset({"conv_bias"}), {"reverse": True}),
    "residual": (frozenset({"conv_bias"}), {"residual": True}),
    "norm, residual": (frozenset({"norm_weight"}), {"norm": "rms", "residual": True}),
    "mean": (frozenset({"out_proj_bias"}), {"pooling": "mean"}),
    "last": (frozenset({"out_proj_bias"}), {"pooling": "last"}),
    "reverse, mean, residual": (
        frozenset({"in_proj_bias"}),
        {"pooling": "mean", "residual": True, "reverse": True},
    ),
    "reverse, last, residual": (
        FUSED_LINEAR | {"norm_weight"},
        {"pooling": "last", "residual": True, "reverse": True, "norm": "rms", "norm_eps": 1e-5},
    ),
}


def assert_matches(
    y: np.ndarray, x: np.ndarray, weights: dict[str, np.ndarray], op: SelectiveSSM
) -> None:
    """y against float64, relative to the magnitudes that out_proj adds up."""
    exact_weights = {name: weight.astype(np.float64) for name, weight in weights.items()}
    sequence = x[np.newaxis].astype(np.float64)
    exact = op.evaluate(sequence, *exact_weights.values())
    exact = exact.reshape(-1, exact.shape[-1])
    # out_proj as the identity gives what it multiplies: the gated output.
    identity = {**exact_weights, "out_proj_weight": np.eye(op.d_inner)}
    identity.pop("out_proj_bias", None)
    plain = replace(op, weights=tuple(identity), residual=False, pooling=None)
    gated = plain.evaluate(sequence, *identity.values())[0]
    products = np.abs(exact_weights["out_proj_weight"]) @ np.abs(gated).max(axis=0)
    scale = max(np.abs(exact).max(), products.max())
    assert y.shape == exact.shape
    assert np.abs(y - exact).max() <= UNITS * EPS * scale


@pytest.fixture(scope="module")
def layers() -> tuple[Path, dict[str, tuple[int, LayerPlan, dict[str, np.ndarray]]]]:
    """One program with the layers of all cases."""
    made = {}
    for index, (case, (optional, options)) in enumerate(CASES.items()):
        weights = random_weights(np.random.default_rng(index), optional)
        made[case] = (index, make_plan(weights, index=index, **options), weights)
    return build_layers([plan for _, plan, _ in made.values()]), made


def run_lengths(
    program: Path, layer: int, plan: LayerPlan, weights: dict[str, np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(x, y) for sequences of all LENGTHS, each from zero state, in one run of the program."""
    rng = np.random.default_rng(layer)
    x = rng.standard_normal((sum(LENGTHS), plan.in_features), np.float32)
    chunks = [chunk for length in LENGTHS for chunk in (0, length)]
    y, _ = run_layer(program, plan, weights, x, layer=layer, chunks=chunks)
    ends = np.cumsum([1 if plan.op.pooling else length for length in LENGTHS])[:-1]
    yield from zip(np.split(x, np.cumsum(LENGTHS)[:-1]), np.split(y, ends), strict=True)


@pytest.mark.parametrize("case", CASES)
def test_every_option_matches_its_numpy_meaning(
    layers: tuple[Path, dict[str, tuple[int, LayerPlan, dict[str, np.ndarray]]]], case: str
) -> None:
    program, made = layers
    index, plan, weights = made[case]
    for x, y in run_lengths(program, index, plan, weights):
        assert_matches(y, x, weights, plan.op)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_shape_matches_its_numpy_meaning(data: st.DataObject) -> None:
    shapes = {
        "features": data.draw(st.integers(1, 9)),
        "d_model": data.draw(st.integers(1, 9)),
        "d_inner": data.draw(st.integers(1, 18)),
        "d_state": data.draw(st.integers(1, 17)),
        "dt_rank": data.draw(st.integers(1, 5)),
        "d_conv": data.draw(st.integers(1, 6)),
        "d_out": data.draw(st.integers(1, 9)),
    }
    optional = data.draw(st.frozensets(st.sampled_from((*FUSED_LINEAR, *BIASES, *INNER_NORMS))))
    if "input_weight" not in optional:
        optional -= {"input_bias"}
    norm = data.draw(st.sampled_from((None, "layer", "rms")))
    if norm is None:
        optional -= {"norm_weight", "norm_bias"}
    inner_norm = data.draw(st.sampled_from((None, "rms")))
    if inner_norm is None:
        optional -= INNER_NORMS
    options: dict[str, Any] = {
        "inner_norm": inner_norm,
        "inner_norm_eps": 0.1,
        "norm": norm,
        "norm_eps": 0.1,  # large: two features, almost alike, would cost digits
        "reverse": data.draw(st.booleans()),
        "residual": data.draw(st.booleans()) and shapes["d_model"] == shapes["d_out"],
        "pooling": data.draw(st.sampled_from((None, "mean", "last"))),
    }
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    weights = random_weights(rng, optional, **shapes)
    plan = make_plan(weights, tile=data.draw(st.integers(1, 8)), **options)
    for x, y in run_lengths(build_layers([plan]), 0, plan, weights):
        assert_matches(y, x, weights, plan.op)


def test_the_mean_over_a_long_sequence_is_as_exact_as_over_a_short_one() -> None:
    weights = random_weights(np.random.default_rng(0), d_inner=4, d_state=1, d_model=2, d_out=2)
    weights["out_proj_weight"][:] = 0  # what is left is the mean of the residual stream
    plan = make_plan(weights, pooling="mean", residual=True)
    x = np.random.default_rng(1).uniform(1, 2, (20000, 2)).astype(np.float32)
    y, _ = run_layer(build_layers([plan]), plan, weights, x)
    np.testing.assert_allclose(y[0], x.mean(axis=0, dtype=np.float64), rtol=2 * EPS)
