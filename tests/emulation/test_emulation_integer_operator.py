"""The integer operator gives the definition's bits on every core, from the generic library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from integer_cases import Case, random_case

from scanlet.execution.on_core import run_on_core
from scanlet.planning.plan import make_plan
from scanlet.targets import find

#: (tile, options): whole and partial tiles, every stage of the operator, odd shapes.
CASES: tuple[tuple[int, dict[str, Any]], ...] = (
    (4, {"d_inner": 18, "d_state": 16, "dt_rank": 4, "features": 9, "pooling": "mean"}),
    (4, {"activation": "int16", "linear": True, "norm": "layer", "residual": True, "d_inner": 16}),
    (3, {"activation": "int16", "norm": "rms", "residual": True, "reverse": True, "d_state": 5}),
    (8, {"pooling": "last", "residual": True, "d_conv": 1, "d_state": 1, "dt_rank": 1}),
    (2, {"activation": "int16", "d_inner": 33, "features": 17, "d_state": 8, "d_out": 5}),
    (4, {"d_inner": 9, "d_state": 6, "d_conv": 5, "features": 6}),
    (4, {"activation": "int16", "d_inner": 6, "d_state": 39, "d_conv": 2, "pooling": "mean"}),
    (8, {"d_inner": 7, "d_state": 66, "d_conv": 3, "residual": True}),
    (1, {"d_inner": 5, "d_state": 23, "d_conv": 9, "dt_rank": 3, "norm": "rms"}),
    (6, {"activation": "int16", "d_inner": 11, "d_state": 32, "d_conv": 8, "d_out": 9}),
)


def on_core(case: Case, core: str, tile: int, samples: list[np.ndarray]) -> list[np.ndarray]:
    graph = case.graph()
    outputs = run_on_core(graph, make_plan(graph, find(core), tile=tile), [(x,) for x in samples])
    return [y[0] for (y,) in outputs]


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("index", range(len(CASES)))
def test_integers_are_the_definition_s_on_every_core(core: str, index: int, extreme: bool) -> None:
    tile, options = CASES[index]
    case = random_case(20 + index, length=11, extreme=extreme, **options)
    (y,) = on_core(case, core, tile, [case.x])
    np.testing.assert_array_equal(y, case.expected())


@pytest.mark.parametrize("index", [0, 1, 2, 4])
def test_the_esp32s3_s_longer_rows_give_the_same(index: int) -> None:
    tile, options = CASES[index]
    case = random_case(20 + index, length=11, **options)
    (y,) = on_core(case, "esp32s3", tile, [case.x])
    np.testing.assert_array_equal(y, case.expected())


def test_a_stream_of_integers_carries_on_from_run_to_run(core: str) -> None:
    whole = random_case(30, length=15, mode="stream", d_inner=12, d_state=4)
    samples = [whole.x[:, start : start + 5] for start in (0, 5, 10)]
    parts = on_core(Case(whole.op, whole.weights, samples[0]), core, 4, samples)
    np.testing.assert_array_equal(np.concatenate(parts), whole.expected())
