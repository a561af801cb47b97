"""In stream mode calls carry the state, so how a sequence is cut changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from operator_harness import build_layers, make_plan, random_weights, run_layer


@pytest.mark.parametrize("chunks", [(1,) * 21, (21,), (4, 4, 13), (2, 3, 5, 7, 4), (20, 1)])
@pytest.mark.parametrize("d_conv", [1, 4])
def test_chunks_of_a_stream_equal_the_whole_sequence(chunks: tuple[int, ...], d_conv: int) -> None:
    weights = random_weights(np.random.default_rng(2), frozenset({"conv_bias"}), d_conv=d_conv)
    plan = make_plan(weights, mode="stream", residual=True)
    program = build_layers([plan])
    x = np.random.default_rng(3).standard_normal((21, plan.in_features), np.float32)
    whole, states = run_layer(program, plan, weights, x)
    y, left = run_layer(program, plan, weights, x, chunks=chunks)
    assert y.tobytes() == whole.tobytes()
    assert left[-1].tobytes() == states[-1].tobytes()


def test_a_cleared_state_starts_the_stream_anew() -> None:
    weights = random_weights(np.random.default_rng(4))
    plan = make_plan(weights, mode="stream")
    program = build_layers([plan])
    x = np.random.default_rng(5).standard_normal((6, plan.in_features), np.float32)
    y, _ = run_layer(program, plan, weights, np.concatenate([x, x, x]), chunks=(6, 6, 0, 6))
    assert y[12:].tobytes() == y[:6].tobytes()
    assert y[6:12].tobytes() != y[:6].tobytes()


def test_a_pooled_stream_pools_each_call_on_its_own() -> None:
    weights = random_weights(np.random.default_rng(6))
    plan = make_plan(weights, mode="stream", pooling="mean")
    stepwise = make_plan(weights, mode="stream")
    x = np.random.default_rng(7).standard_normal((10, plan.in_features), np.float32)
    pooled, _ = run_layer(build_layers([plan]), plan, weights, x, chunks=(4, 6))
    steps, _ = run_layer(build_layers([stepwise]), stepwise, weights, x)
    np.testing.assert_allclose(pooled, [steps[:4].mean(0), steps[4:].mean(0)], rtol=1e-5, atol=1e-6)
