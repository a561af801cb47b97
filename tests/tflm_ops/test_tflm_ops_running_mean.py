"""A running mean inside the operator: the same bits for any chunks, past its window as well."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_cases import Case, random_case, run_case
from operator_harness import build_layers, make_operator, make_plan, random_weights, run_layer

TARGETS = ("generic", "cortex-m7", "cortex-m55", "esp32s3")
STEPS = 23
OPTIONS: tuple[dict[str, Any], ...] = (
    {"window": 0},
    {"window": 9, "residual": True, "norm": "rms"},
    {"window": 1},
)


def chunkings(total: int) -> st.SearchStrategy[list[int]]:
    """Ways to cut `total` steps."""
    cuts = st.sets(st.integers(1, total - 1)).map(sorted)
    return cuts.map(lambda at: [b - a for a, b in itertools.pairwise([0, *at, total])])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("tile", [1, 4])
def test_floats_give_the_same_mean_for_any_chunks(options: dict[str, Any], tile: int) -> None:
    extra = {"norm_eps": 1e-5} if "norm" in options else {}
    weights = random_weights(np.random.default_rng(2))
    options = {"mode": "stream", "pooling": "running", **options, **extra}
    plan = make_plan(weights, tile=tile, **options)
    program = build_layers([plan])
    x = np.random.default_rng(3).standard_normal((STEPS, plan.in_features), np.float32)
    whole, states = run_layer(program, plan, weights, x)
    meaning = make_operator(weights, **options)
    exact = meaning.evaluate(x[np.newaxis].astype(np.float64), *weights.values())
    np.testing.assert_allclose(whole, exact, rtol=1e-5, atol=1e-6)

    @settings(max_examples=8, deadline=None, derandomize=True)
    @given(chunks=chunkings(STEPS))
    def check(chunks: list[int]) -> None:
        y, left = run_layer(program, plan, weights, x, chunks=chunks)
        assert y[-1].tobytes() == whole[0].tobytes()
        assert left[-1].tobytes() == states[0].tobytes()

    check()
    y, _ = run_layer(program, plan, weights, np.concatenate([x, x]), chunks=[STEPS, 0, STEPS])
    assert y[1].tobytes() == y[0].tobytes(), "a reset clears the mean"


@pytest.mark.parametrize("tile", [2, 8])
def test_tiles_change_no_bit_of_a_mean(tile: int) -> None:
    weights = random_weights(np.random.default_rng(2))
    options: dict[str, Any] = {"mode": "stream", "pooling": "running", "window": 11}
    x = np.random.default_rng(4).standard_normal((STEPS, 7), np.float32)
    results = []
    for size in (1, tile):
        plan = make_plan(weights, tile=size, **options)
        results.append(run_layer(build_layers([plan]), plan, weights, x)[0].tobytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("tile", [1, 3, 4])
def test_integers_give_the_mean_of_their_definition_for_any_chunks(target: str, tile: int) -> None:
    cases = [
        random_case(
            seed, length=STEPS, mode="stream", pooling="running", activation=activation, **options
        )
        for seed, (activation, options) in enumerate(
            zip(("int8", "int16", "int16"), OPTIONS, strict=True)
        )
    ]
    plans = [case.plan(tile, target, i) for i, case in enumerate(cases)]
    program = build_layers(plans, target=target)

    @settings(max_examples=6, deadline=None, derandomize=True)
    @given(index=st.integers(0, len(cases) - 1), chunks=chunkings(STEPS))
    def check(index: int, chunks: list[int]) -> None:
        case, plan = cases[index], plans[index]
        y, h = run_case(program, plan, case, layer=index, chunks=chunks)
        carried: dict[str, Any] = {}
        ends = np.cumsum(chunks)
        for row, end, length in zip(y, ends, chunks, strict=True):
            chunk = case.x[:, end - length : end]
            expected = case.op.advance(carried, chunk, *case.weights.values())
            np.testing.assert_array_equal(row, expected[0])
        np.testing.assert_array_equal(y[-1], case.expected())
        np.testing.assert_array_equal(h, case.state())

    check()


@pytest.mark.parametrize("target", ["generic", "cortex-m55"])
def test_sums_stay_within_32_bits_far_past_the_window(target: str) -> None:
    """Extremes only; sanitizers would report an overflow."""
    case = random_case(
        3, length=300, extreme=True, activation="int16", mode="stream", pooling="running", window=64
    )
    plan = case.plan(4, target)
    y, _ = run_case(build_layers([plan], target=target), plan, case, chunks=[150, 150])
    np.testing.assert_array_equal(y[-1], case.expected())


def test_a_window_of_the_longest_length_holds_the_largest_values() -> None:
    """65,535 steps of the lowest value: the sum is the lowest that it may be."""
    case = random_case(0, length=1, features=1, d_inner=1, d_state=1, dt_rank=1, d_out=1,
                       mode="stream", pooling="running", activation="int16")  # fmt: skip
    plan = case.plan(4, "generic")
    long = Case(case.op, case.weights, np.full((1, 66_000, 1), -32768, np.int16))
    y, _ = run_case(build_layers([plan], target="generic"), plan, long, chunks=[65_000, 1_000])
    np.testing.assert_array_equal(y[-1], long.expected())
