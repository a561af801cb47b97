"""The packed layout of weights: what the kernels read, in whole blocks, and nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_harness import make_plan, random_weights

from scanlet.graph.operators import WEIGHT_ORDER
from scanlet.graph.operators.selective_ssm import INNER_NORM_WEIGHTS, REQUIRED_WEIGHTS
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import pack_layer, packed_shapes

EVERYTHING = frozenset(WEIGHT_ORDER) - REQUIRED_WEIGHTS


def plan(weights: dict[str, np.ndarray]) -> LayerPlan:
    return make_plan(weights, inner_norm="rms" if INNER_NORM_WEIGHTS & set(weights) else None)


def pack(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {weight.name: weight.data for weight in pack_layer(plan(weights), weights)}


def unpack(blocks: np.ndarray, outputs: int) -> np.ndarray:
    """The matrix in blocks (ceil(outputs / 4), depth, 4); what pads it must be zero."""
    rows = [blocks[o // 4, :, o % 4] for o in range(blocks.shape[0] * 4)]
    assert not np.any(rows[outputs:])
    return np.array(rows[:outputs])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    shapes=st.fixed_dictionaries(
        {
            name: st.integers(1, 9)
            for name in ("features", "d_model", "d_inner", "d_state", "dt_rank", "d_conv", "d_out")
        }
    ),
    optional=st.frozensets(st.sampled_from(sorted(EVERYTHING))),
)
def test_stored_shapes_and_order_are_those_promised(
    shapes: dict[str, int], optional: frozenset[str]
) -> None:
    if "input_weight" not in optional:
        optional -= {"input_bias"}
    weights = random_weights(np.random.default_rng(0), optional, **shapes)
    layer = plan(weights)
    packed = pack_layer(layer, weights)
    assert {weight.name: weight.data.shape for weight in packed} == packed_shapes(layer)
    assert [weight.name for weight in packed] == list(weights)
    for weight in packed:
        assert weight.data.dtype == np.float32
        assert weight.data.flags.c_contiguous


@pytest.mark.parametrize("d_inner", [8, 9, 10, 11])
def test_unpacked_weights_are_the_original_ones(d_inner: int) -> None:
    weights = random_weights(np.random.default_rng(1), EVERYTHING, d_inner=d_inner, d_out=5)
    packed = pack(weights)
    for name in ("input_weight", "dt_proj_weight", "out_proj_weight"):
        np.testing.assert_array_equal(unpack(packed[name], len(weights[name])), weights[name])
    for name in ("input_bias", "dt_proj_bias", "out_proj_bias"):
        count = len(weights[name])
        assert len(packed[name]) % 4 == 0
        np.testing.assert_array_equal(packed[name][:count], weights[name])
        assert not packed[name][count:].any()
    for name in ("norm_weight", "norm_bias", "conv_weight", "conv_bias"):
        np.testing.assert_array_equal(packed[name], weights[name])


@pytest.mark.parametrize("d_inner", [8, 9, 11])
def test_both_halves_of_in_proj_start_on_a_whole_block(d_inner: int) -> None:
    weights = random_weights(np.random.default_rng(2), EVERYTHING, d_inner=d_inner)
    packed = pack(weights)
    x, z = np.split(packed["in_proj_weight"], 2)
    np.testing.assert_array_equal(unpack(x, d_inner), weights["in_proj_weight"][:d_inner])
    np.testing.assert_array_equal(unpack(z, d_inner), weights["in_proj_weight"][d_inner:])
    x, z = np.split(packed["in_proj_bias"], 2)
    np.testing.assert_array_equal(x[:d_inner], weights["in_proj_bias"][:d_inner])
    np.testing.assert_array_equal(z[:d_inner], weights["in_proj_bias"][d_inner:])


def test_a_turns_powers_of_e_into_powers_of_two() -> None:
    weights = random_weights(np.random.default_rng(3))
    packed = pack(weights)["A"]
    for delta in (0.01, 1.0, 7.0):
        exact = np.exp(delta * weights["A"].astype(np.float64))
        np.testing.assert_allclose(np.exp2(delta * packed.astype(np.float64)), exact, rtol=3e-6)


@pytest.mark.parametrize(("dt_rank", "d_state"), [(1, 1), (3, 4), (4, 3)])
def test_rows_of_b_and_c_follow_dt_by_turns(dt_rank: int, d_state: int) -> None:
    weights = random_weights(np.random.default_rng(4), dt_rank=dt_rank, d_state=d_state)
    dt, b, c = np.split(weights["x_proj_weight"], [dt_rank, dt_rank + d_state])
    rows = unpack(pack(weights)["x_proj_weight"], dt_rank + 2 * d_state)
    np.testing.assert_array_equal(rows[:dt_rank], dt)
    np.testing.assert_array_equal(rows[dt_rank::2], b)
    np.testing.assert_array_equal(rows[dt_rank + 1 :: 2], c)


def test_d_goes_with_the_largest_step_that_needs_no_clamp() -> None:
    weights = random_weights(np.random.default_rng(5))
    weights["A"][1] = 0
    weights["A"][2] = 1e-44
    d, largest = pack(weights)["D"].T
    np.testing.assert_array_equal(d, weights["D"])
    assert np.isfinite(largest).all()
    exponents = largest[:, None] * pack(weights)["A"].astype(np.float64)
    steepest = np.abs(exponents).max(axis=1)
    assert (steepest <= 125.001).all()
    np.testing.assert_allclose(np.delete(steepest, [1, 2]), 125, rtol=1e-6)
