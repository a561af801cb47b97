"""Integer mixers with a float32 state on every core: the definition's bits, and their cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from float_state_cases import assert_close, assert_exact, float_state_case
from integer_cases import Case, random_case

from scanlet.execution.on_core import measure_on_core, run_on_core
from scanlet.passes.extents import Extent
from scanlet.passes.fuse_into_ssm import Fusion
from scanlet.planning.generic import plan_memory
from scanlet.planning.plan import make_plan
from scanlet.planning.planner import choices
from scanlet.targets import find

#: (tile, options): whole and partial tiles, an odd number of states, lanes that are not full.
CASES: tuple[tuple[int, dict[str, Any]], ...] = (
    (4, {"d_inner": 18, "d_state": 16, "dt_rank": 4, "features": 9, "activation": "int16"}),
    (4, {"linear": True, "norm": "layer", "residual": True, "d_inner": 16, "pooling": "mean"}),
    (4, {"activation": "int16", "d_inner": 7, "d_state": 5, "reverse": True, "steep": True}),
    (3, {"activation": "int16", "pooling": "last", "d_state": 1}),
    (8, {"d_inner": 12, "d_state": 8}),
)
#: The published keyword spotting network as one operator: 64 features, head included.
KWS = {"length": 100, "features": 40, "d_inner": 128, "d_state": 16, "dt_rank": 4, "d_out": 3}


def on_core(
    case: Case, core: str, tile: int, samples: list[np.ndarray], *, fused: bool = False
) -> list[np.ndarray]:
    graph = case.graph()
    plan = make_plan(graph, find(core), tile=tile)
    return [y[0] for (y,) in run_on_core(graph, plan, [(x,) for x in samples], fused=fused)]


@pytest.mark.parametrize("index", range(len(CASES)))
def test_a_float_state_has_the_definition_s_bits_on_every_core(core: str, index: int) -> None:
    tile, options = CASES[index]
    case = float_state_case(40 + index, length=11, extreme=index % 2 == 0, **options)
    (y,) = on_core(case, core, tile, [case.x])
    assert_exact(y.reshape(-1, y.shape[-1]), case)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_fused_multiply_adds_stay_within_a_step_of_the_definition(core: str, index: int) -> None:
    tile, options = CASES[index]
    case = float_state_case(40 + index, length=11, extreme=index == 1, **options)
    (y,) = on_core(case, core, tile, [case.x], fused=True)
    assert_close(y.reshape(-1, y.shape[-1]), case)


@pytest.mark.parametrize(("length", "fused"), [(5, False), (6, True), (7, False)])
def test_a_stream_carries_a_float_state_past_partial_tiles(
    core: str, length: int, fused: bool
) -> None:
    whole = float_state_case(
        50, length=3 * length, mode="stream", d_inner=12, d_state=4, activation="int16"
    )
    samples = [whole.x[:, start : start + length] for start in range(0, 3 * length, length)]
    case = Case(whole.op, whole.weights, samples[0])
    parts = on_core(case, core, 4, samples, fused=fused)
    (assert_close if fused else assert_exact)(np.concatenate(parts), whole)


@pytest.mark.parametrize("fused", [False, True])
def test_results_beyond_the_range_saturate_on_every_core(core: str, fused: bool) -> None:
    case = float_state_case(7, length=6, activation="int16")
    case.weights["D"] *= np.float32(2.0) ** np.arange(0, 100, 10, np.float32)
    (y,) = on_core(case, core, 4, [case.x], fused=fused)
    (assert_close if fused else assert_exact)(y, case)


def test_keyword_spotting_with_a_float_state_stays_within_18432_bytes(core: str) -> None:
    case = float_state_case(0, extreme=True, pooling="mean", **KWS)
    graph = case.graph()
    plan = make_plan(graph, find(core), tile=4)
    measured = measure_on_core(graph, plan, (case.x,))
    assert measured["ram_bytes"] <= 14336 + 4096
    assert 0 <= measured["static_bytes"] - plan_memory(graph, plan).total <= 16


def test_the_cost_model_tells_instructions(core: str) -> None:
    case = float_state_case(1, pooling="mean", **(KWS | {"length": 24}))
    graph = case.graph()
    for choice in choices([Extent(Fusion(), graph)], find(core))[:2]:
        measured = measure_on_core(graph, choice.plan, (case.x,))["instructions"]
        assert 0.6 * measured <= choice.instructions <= 1.5 * measured


def test_an_int16_state_costs_no_more_instructions(core: str) -> None:
    """Why every target prefers it: it takes half the memory. On Xtensa the two are close."""
    shapes = KWS | {"length": 8}
    cases = [make(1, pooling="mean", **shapes) for make in (random_case, float_state_case)]
    integers, floats = (
        measure_on_core(graph, make_plan(graph, find(core)), (case.x,))["instructions"]
        for case, graph in ((case, case.graph()) for case in cases)
    )
    assert integers < 1.02 * floats
