"""Selective scans without a mixer: the generated C against the NumPy meaning in float64."""

from __future__ import annotations

import numpy as np
import pytest
from operator_harness import build_layers, run_layer
from scan_cases import scan_plan, scan_streams, scan_weights

from scanlet.errors import GraphError
from scanlet.graph import Node, Tensor
from scanlet.graph.operators import Unary
from scanlet.planning.layer import MAX_TILE
from scanlet.planning.scan_layer import plan_scan_layer

LENGTHS = (1, 2, 3, 5, 17, 100)
TOLERANCE = 5e-6


@pytest.mark.parametrize(
    ("tile", "reverse", "inner", "states"),
    [(1, False, 5, 3), (3, True, 1, 1), (4, False, 8, 4), (4, True, 6, 16), (8, False, 9, 2)],
)
def test_layers_match_their_numpy_meaning(
    tile: int, reverse: bool, inner: int, states: int
) -> None:
    rng = np.random.default_rng(tile)
    weights = scan_weights(rng, inner, states)
    plan = scan_plan(weights, tile=tile, length=10, reverse=reverse)
    x = scan_streams(rng, sum(LENGTHS), inner, states)
    chunks = [chunk for length in LENGTHS for chunk in (0, length)]
    y, _ = run_layer(build_layers([plan]), plan, weights, x, chunks=chunks)
    exact_weights = [weight.astype(np.float64) for weight in weights.values()]
    ends = np.cumsum(LENGTHS)[:-1]
    for part, got in zip(np.split(x, ends), np.split(y, ends), strict=True):
        exact = plan.op.evaluate(part[np.newaxis].astype(np.float64), *exact_weights)[0]
        assert np.abs(got - exact).max() <= TOLERANCE * np.abs(exact).max()


@pytest.mark.parametrize("chunks", [(1,) * 21, (4, 4, 13), (2, 3, 5, 7, 4)])
def test_chunks_of_a_stream_equal_the_whole_sequence(chunks: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    weights = scan_weights(rng, 6, 3)
    plan = scan_plan(weights, tile=4, length=21, mode="stream")
    program = build_layers([plan])
    x = scan_streams(rng, 21, 6, 3)
    whole, states = run_layer(program, plan, weights, x)
    y, left = run_layer(program, plan, weights, x, chunks=chunks)
    assert y.tobytes() == whole.tobytes()
    assert left[-1].tobytes() == states[-1].tobytes()


def test_a_state_that_fades_never_becomes_subnormal_and_large_steps_stay_finite() -> None:
    rng = np.random.default_rng(5)
    weights = scan_weights(rng, 5, 3)
    plan = scan_plan(weights, tile=4, length=10, mode="stream")
    x = scan_streams(rng, 3000, 5, 3)
    x[1:, :5] = 0  # one impulse
    x[2000:, 5:10] = 1e4
    y, states = run_layer(build_layers([plan]), plan, weights, x, chunks=(1, 999, 2000))
    left = np.abs(states[-1])
    assert np.isfinite(y).all()
    assert np.all((left == 0) | (left >= np.finfo(np.float32).tiny))


@pytest.mark.parametrize("tile", [0, MAX_TILE + 1])
def test_tiles_that_no_kernel_has_are_refused(tile: int) -> None:
    weights = scan_weights(np.random.default_rng(0), 5, 3)
    with pytest.raises(GraphError, match="time tile"):
        scan_plan(weights, tile=tile, length=10)


def test_another_operator_is_no_scan() -> None:
    x = Tensor("x", (1, 4, 16))
    with pytest.raises(GraphError, match="not a selective scan"):
        plan_scan_layer(Node(Unary("tanh"), [x], [x]), index=0, name="layer0", tile=4)
