"""Random integer mixers with a float32 state, and how far fused builds may be from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from integer_cases import Case, random_case

from scanlet.graph.operators.fixed_point import silu
from scanlet.graph.operators.integer_ssm import INTEGER_WEIGHT_ORDER, channels


def float_state_case(seed: int, *, steep: bool = False, **options: Any) -> Case:
    """`random_case` with a recurrence in real numbers whose y uses its range, or a bit more.

    `steep`: decays beyond what a float holds.
    """
    case = random_case(seed, **options)
    rng = np.random.default_rng(seed)
    inner, states = case.op.d_inner, case.op.d_state
    reals = np.empty((inner, 3))
    reals[:, 0] = 2.0 ** rng.uniform(-9, 1, inner) / 32768 * (1000 if steep else 1)
    reals[:, 1] = 2.0 ** rng.uniform(-3, 3, inner) / 32768
    reals[:, 2] = 100
    weights = case.weights | {
        "A": -(2.0 ** rng.uniform(-3, 4, (inner, states))),
        "D": rng.standard_normal(inner),
        "reals": reals,
        "bc_scales": 2.0 ** rng.uniform(-2, 2, 2 * states) / 32768,
    }
    del weights["rates"]
    order = tuple(name for name in INTEGER_WEIGHT_ORDER if name in weights)
    op = replace(case.op, weights=order, state="float32")
    weights = {
        name: weights[name].astype(np.float32) if name in order[-4:] else weights[name]
        for name in order
    }
    made = Case(op, weights, case.x)
    largest = np.abs(op.stages(case.x, *weights.values())["y"]).max(axis=0)
    spread = 2.0 ** rng.uniform(-2, 0.3, inner)
    weights["reals"][:, 2] *= 32767 / np.maximum(largest, 1) * spread
    return made


def allowed(case: Case) -> np.ndarray:
    """By how much each output may differ where every y does by one step: (rows, d_out)."""
    w = {name: array.astype(np.float64) for name, array in case.weights.items()}
    stages = case.op.stages(case.x, *case.weights.values())
    c = channels(w)
    gate = np.abs(silu(stages["z"], c["gate_fraction"].astype(np.int64)))
    g = gate * c["gate_factor"] / 2**32 + 1
    if case.op.pooling:
        g = g.mean(axis=0, keepdims=True) if case.op.pooling == "mean" else g[-1:]
        g = g * c["pool_factor"] / 2**17 + 1
    out = g @ np.abs(w["out_proj_weight"]).T * w["out_proj_rows"][:, 1] / 2**32
    steps = out / (16 if case.op.residual else 1) + 1
    return steps[::-1] if case.op.reverse and not case.op.pooling else steps


def assert_exact(got: np.ndarray, case: Case) -> None:
    """Bit for bit."""
    np.testing.assert_array_equal(got, case.expected().reshape(got.shape))


def assert_close(got: np.ndarray, case: Case) -> None:
    """Within what is allowed everywhere, and nearly everywhere equal."""
    expected = case.expected().reshape(-1, got.shape[-1]).astype(np.int64)
    difference = np.abs(got.reshape(expected.shape) - expected)
    assert (difference <= allowed(case)).all()
    assert (difference == 0).mean() > 0.8 - 1 / difference.size
