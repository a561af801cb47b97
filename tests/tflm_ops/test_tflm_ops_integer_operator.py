"""The integer operator's C equals its definition bit for bit, in every layout, with sanitizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_cases import Case, random_case, run_case
from operator_harness import build_layers

#: A target of each layout.
TARGETS = ("generic", "cortex-m7", "cortex-m55", "esp32", "esp32s3")

#: (tile, shapes and options); each is a layer of one program a target.
LAYERS: tuple[tuple[int, dict[str, Any]], ...] = (
    (1, {}),
    (2, {"activation": "int16", "d_state": 1, "d_conv": 1, "dt_rank": 1}),
    (3, {"linear": True, "norm": "layer", "residual": True, "d_conv": 2}),
    (4, {"activation": "int16", "norm": "rms", "residual": True, "pooling": "mean"}),
    (4, {"linear": True, "pooling": "mean", "d_inner": 16, "d_state": 16, "dt_rank": 4}),
    (5, {"activation": "int16", "linear": True, "pooling": "last", "residual": True}),
    (6, {"reverse": True, "residual": True, "norm": "layer", "d_conv": 5, "d_inner": 7}),
    (7, {"activation": "int16", "norm": "layer", "pooling": "mean", "residual": True}),
    (8, {"pooling": "last", "reverse": True, "d_state": 32, "d_out": 1, "d_inner": 5}),
    (8, {"activation": "int16", "reverse": True, "d_state": 9, "dt_rank": 5, "d_out": 13}),
    (4, {"features": 1, "d_inner": 1, "d_out": 1, "d_state": 2, "dt_rank": 1}),
    (3, {"activation": "int16", "features": 33, "d_inner": 40, "d_state": 8, "dt_rank": 8}),
    (4, {"d_state": 6, "d_conv": 5, "d_inner": 9, "mode": "stream"}),
    (4, {"activation": "int16", "d_state": 39, "d_conv": 9, "d_inner": 5}),
)


@pytest.fixture(scope="module", params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def program(target: str) -> Path:
    plans = [case_of(i, seed=0).plan(tile, target, i) for i, (tile, _) in enumerate(LAYERS)]
    return build_layers(plans, target=target)


def case_of(index: int, **changes: Any) -> Case:
    changes.setdefault("extreme", False)
    return random_case(**{"literals": index, **LAYERS[index][1], **changes})


@pytest.mark.parametrize("index", range(len(LAYERS)))
def test_c_equals_the_definition(program: Path, target: str, index: int) -> None:
    @settings(max_examples=4, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 1000), length=st.integers(1, 19), extreme=st.booleans())
    def check(seed: int, length: int, extreme: bool) -> None:
        case = case_of(index, seed=seed, length=length, extreme=extreme)
        plan = case.plan(LAYERS[index][0], target)
        y, h = run_case(program, plan, case, layer=index)
        np.testing.assert_array_equal(y, case.expected().reshape(-1, plan.d_out))
        np.testing.assert_array_equal(h, case.state())

    check()


def test_cases_have_a_signal() -> None:
    """What the tests compare is not just the ends of the range."""
    values = [len(np.unique(case_of(i, seed=1, length=19).expected())) for i in range(len(LAYERS))]
    sizes = [case_of(i, seed=1, length=19).expected().size for i in range(len(LAYERS))]
    assert sum(values) > 0.5 * sum(sizes)


def test_long_sequences_saturate_no_sum(target: str) -> None:
    """Extremes over many tiles: sanitizers would report an overflow."""
    case = random_case(
        3, length=300, extreme=True, activation="int16", pooling="mean", norm="layer"
    )
    plan = case.plan(4, target)
    y, _ = run_case(build_layers([plan], target=target), plan, case)
    np.testing.assert_array_equal(y[0], case.expected())


@pytest.mark.parametrize("tile", [1, 3, 4])
def test_a_stream_in_chunks_equals_the_whole(target: str, tile: int) -> None:
    chunks = [1, 2, 7, 4, 10, 250, 30]
    case = random_case(5, length=sum(chunks), mode="stream", activation="int16")
    plan = case.plan(tile, target)
    y, h = run_case(build_layers([plan], target=target), plan, case, chunks=chunks)
    np.testing.assert_array_equal(y, case.expected())
    np.testing.assert_array_equal(h, case.state())


def test_a_reset_begins_a_stream_anew(target: str) -> None:
    case = random_case(6, length=9, mode="stream")
    plan = case.plan(4, target)
    twice = Case(case.op, case.weights, np.concatenate([case.x, case.x], axis=1))
    program = build_layers([plan], target=target)
    y, _ = run_case(program, plan, twice, chunks=[5, 4, 0, 9])
    np.testing.assert_array_equal(y, np.concatenate([case.expected()] * 2))
