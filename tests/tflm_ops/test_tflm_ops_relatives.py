"""Mamba-2 and diagonal layers: the generated C against the operator's NumPy meaning in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_harness import build_layers, run_layer
from relative_cases import (
    OPTIONAL,
    Weights,
    diagonal_operator,
    diagonal_weights,
    mamba2_operator,
    mamba2_weights,
    plan_of,
)

from scanlet.graph.operators import LayerOperator

LENGTHS = (1, 2, 3, 5, 17, 100)
#: Of the output's largest value; measured 1e-6 at worst.
TOLERANCE = 5e-6

MAMBA2: dict[str, tuple[frozenset[str], dict[str, Any], dict[str, Any]]] = {
    "as mamba_ssm builds it": (frozenset({"conv_bias", "norm_weight"}), {}, {}),
    "bare": (frozenset(), {}, {}),
    "every bias": (frozenset(OPTIONAL), {}, {}),
    "norm in groups": (frozenset({"norm_weight"}), {"norm_groups": 2}, {}),
    "norm ahead of the gate": (frozenset({"norm_weight"}), {"norm_before_gate": True}, {}),
    "no norm": (frozenset({"conv_bias"}), {"norm_groups": 0}, {}),
    "limits of dt": (frozenset(), {"dt_min": 0.4, "dt_max": 0.9}, {}),
    "upper limit of dt": (frozenset(), {"dt_max": 0.5}, {}),
    "D a channel": (frozenset({"norm_weight"}), {}, {"d_per_channel": True}),
    "one group": (frozenset({"norm_weight"}), {"groups": 1}, {"groups": 1}),
    "a group a head": (frozenset({"norm_weight"}), {"groups": 4}, {"groups": 4}),
    "backwards": (frozenset({"conv_bias"}), {"reverse": True}, {}),
    "one tap": (frozenset({"conv_bias"}), {}, {"d_conv": 1}),
}


def run_lengths(op: LayerOperator, weights: Weights, tile: int = 4) -> None:
    """Sequences of all LENGTHS, each from zero state, against float64."""
    plan = plan_of(op, weights, tile=tile)
    rng = np.random.default_rng(7)
    x = rng.standard_normal((sum(LENGTHS), plan.in_features), np.float32)
    chunks = [chunk for length in LENGTHS for chunk in (0, length)]
    y, _ = run_layer(build_layers([plan]), plan, weights, x, chunks=chunks)
    ends = np.cumsum(LENGTHS)[:-1]
    exact_weights = [weight.astype(np.float64) for weight in weights.values()]
    for part, got in zip(np.split(x, ends), np.split(y, ends), strict=True):
        exact = op.evaluate(part[np.newaxis].astype(np.float64), *exact_weights)[0]
        assert np.abs(got - exact).max() <= TOLERANCE * np.abs(exact).max()


@pytest.mark.parametrize("case", MAMBA2)
def test_every_option_of_mamba2_matches_its_numpy_meaning(case: str) -> None:
    optional, options, shapes = MAMBA2[case]
    weights = mamba2_weights(np.random.default_rng(1), optional, **shapes)
    run_lengths(mamba2_operator(weights, **options), weights)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data())
def test_mamba2_of_any_shape_matches_its_numpy_meaning(data: st.DataObject) -> None:
    groups = data.draw(st.integers(1, 3))
    weights = mamba2_weights(
        np.random.default_rng(data.draw(st.integers(0, 99))),
        data.draw(st.frozensets(st.sampled_from(OPTIONAL))),
        d_model=data.draw(st.integers(1, 9)),
        d_state=data.draw(st.integers(1, 9)),
        heads=groups * data.draw(st.integers(1, 3)),
        head_dim=data.draw(st.integers(1, 5)),
        groups=groups,
        d_conv=data.draw(st.integers(1, 6)),
        d_out=data.draw(st.integers(1, 9)),
    )
    options = {"norm_before_gate": data.draw(st.booleans()), "norm_eps": 0.1}
    run_lengths(
        mamba2_operator(weights, groups, **options), weights, tile=data.draw(st.integers(1, 8))
    )


@pytest.mark.parametrize("complex", [True, False])
@pytest.mark.parametrize(("tile", "reverse"), [(1, False), (3, True), (4, False), (8, False)])
def test_diagonal_layers_match_their_numpy_meaning(complex: bool, tile: int, reverse: bool) -> None:
    weights = diagonal_weights(np.random.default_rng(tile), complex=complex)
    run_lengths(diagonal_operator(weights, reverse=reverse), weights, tile)


@pytest.mark.parametrize("chunks", [(1,) * 21, (4, 4, 13), (2, 3, 5, 7, 4), (20, 1)])
@pytest.mark.parametrize("kind", ["mamba2", "one tap", "complex", "real"])
def test_chunks_of_a_stream_equal_the_whole_sequence(kind: str, chunks: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    op: LayerOperator
    if kind in ("complex", "real"):
        weights = diagonal_weights(rng, complex=kind == "complex")
        op = diagonal_operator(weights, mode="stream")
    else:
        weights = mamba2_weights(rng, frozenset(OPTIONAL), d_conv=1 if kind == "one tap" else 4)
        op = mamba2_operator(weights, mode="stream")
    plan = plan_of(op, weights)
    program = build_layers([plan])
    x = rng.standard_normal((21, plan.in_features), np.float32)
    whole, states = run_layer(program, plan, weights, x)
    y, left = run_layer(program, plan, weights, x, chunks=chunks)
    assert y.tobytes() == whole.tobytes()
    assert left[-1].tobytes() == states[-1].tobytes()


def test_a_state_that_fades_never_becomes_subnormal() -> None:
    weights = diagonal_weights(np.random.default_rng(5))
    plan = plan_of(diagonal_operator(weights, mode="stream"), weights)
    x = np.zeros((3000, plan.in_features), np.float32)
    x[0] = 1
    _, states = run_layer(build_layers([plan]), plan, weights, x, chunks=(1, 999, 2000))
    left = np.abs(states[-1])
    assert np.all((left == 0) | (left >= np.finfo(np.float32).tiny))


def test_a_long_mamba2_step_forgets_and_stays_finite() -> None:
    # exp(dt A) underflows by far: the clamp of the power has to hold.
    weights = mamba2_weights(np.random.default_rng(6))
    weights["A"][:] = -1e4
    weights["dt_bias"][:] = 30
    run_lengths(mamba2_operator(weights), weights)
