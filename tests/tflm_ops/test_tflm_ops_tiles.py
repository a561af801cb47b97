"""Neither the time tile nor the optimiser changes a bit, and the state never turns subnormal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from operator_harness import CHECKED, build_layers, make_plan, random_weights, run_layer

from scanlet.planning.layer import LayerPlan

TILES = (1, 2, 3, 4, 5, 6, 7, 8)
#: The last tile holds every number of steps, alone and after whole tiles.
LENGTHS = (*range(1, 10), 15, 33)
SMALLEST_NORMAL = 2.0**-126
EVERYTHING = frozenset({"input_weight", "input_bias", "norm_weight", "norm_bias", "conv_bias"})

Layers = tuple[Path, list[tuple[LayerPlan, dict[str, np.ndarray]]]]


def make_layers(tile: int) -> list[tuple[LayerPlan, dict[str, np.ndarray]]]:
    """The same three layers for any tile: nothing fused, everything fused, pooled."""
    rng = np.random.default_rng(5)
    plain = random_weights(rng)
    fused = random_weights(rng, EVERYTHING, d_inner=8, d_conv=3, d_state=4, features=11)
    pooled = random_weights(rng, d_inner=9, d_conv=1, d_state=1, dt_rank=1)
    return [
        (make_plan(plain, tile=tile, index=0), plain),
        (
            make_plan(
                fused, tile=tile, index=1, norm="layer", norm_eps=1e-5, residual=True, reverse=True
            ),
            fused,
        ),
        (
            make_plan(pooled, tile=tile, index=2, pooling="mean", norm="rms", norm_eps=1e-5),
            pooled,
        ),
    ]


@pytest.fixture(scope="module")
def by_tile() -> dict[int, Layers]:
    """For each tile, the program and the plans and weights of its layers."""
    programs = {}
    for tile in TILES:
        layers = make_layers(tile)
        programs[tile] = (build_layers([plan for plan, _ in layers]), layers)
    return programs


def run_all_lengths(
    program: Path, layers: list[tuple[LayerPlan, dict[str, np.ndarray]]], layer: int
) -> tuple[bytes, bytes]:
    """Outputs and states of sequences of all LENGTHS, each from zero state."""
    plan, weights = layers[layer]
    x = np.random.default_rng(layer).standard_normal((sum(LENGTHS), plan.in_features), np.float32)
    chunks = [chunk for length in LENGTHS for chunk in (0, length)]
    y, states = run_layer(program, plan, weights, x, layer=layer, chunks=chunks)
    assert np.isfinite(y).all()
    return y.tobytes(), states.tobytes()


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("tile", TILES[1:])
def test_every_tile_gives_the_bits_of_single_steps(
    by_tile: dict[int, Layers], tile: int, layer: int
) -> None:
    assert run_all_lengths(*by_tile[tile], layer) == run_all_lengths(*by_tile[1], layer)


def fading(features: int) -> np.ndarray:
    """Ten random steps, then silence for long enough that states would fall below 2^-126."""
    x = np.zeros((260, features), np.float32)
    x[:10] = np.random.default_rng(1).standard_normal((10, features))
    return x


@pytest.mark.parametrize("tile", TILES[1:])
def test_every_tile_lets_the_state_fade_alike(by_tile: dict[int, Layers], tile: int) -> None:
    results = []
    for program, layers in (by_tile[1], by_tile[tile]):
        plan, weights = layers[0]
        chunks = [96, 25, 39, 100]  # not all are whole tiles
        results.append(run_layer(program, plan, weights, fading(plan.in_features), chunks=chunks))
    for one, other in zip(*results, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("tile", [1, 4])
def test_a_fading_state_stays_above_the_subnormal_numbers(
    by_tile: dict[int, Layers], tile: int
) -> None:
    program, layers = by_tile[tile]
    plan, weights = layers[0]
    x = fading(plan.in_features)
    _, states = run_layer(program, plan, weights, x, chunks=[1] * len(x))
    h = np.abs(states[:, : plan.op.d_inner * plan.op.d_state])
    assert (h[9] > 0).all()
    assert (h[-1] < 2.0**-90).any(), "no state faded"
    assert ((h == 0) | (h >= SMALLEST_NORMAL)).all()


@pytest.mark.parametrize("tile", [1, 4, 8])
def test_steps_so_long_that_decays_underflow_forget_the_past(tile: int) -> None:
    """Some channels and some steps beyond what a 2^x without a clamp can hold."""
    weights = random_weights(np.random.default_rng(7))
    weights["dt_proj_bias"][::2] = 300
    weights["dt_proj_weight"] *= 300
    plan = make_plan(weights, tile=tile)
    x = np.random.default_rng(8).standard_normal((40, plan.in_features)).astype(np.float32)
    y, _ = run_layer(build_layers([plan]), plan, weights, x)
    meaning = plan.op.evaluate(x[None], *(weights[name] for name in plan.op.weights))[0]
    np.testing.assert_allclose(y, meaning, rtol=0, atol=2e-6 * np.abs(meaning).max())


@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3"])
def test_the_optimiser_changes_no_bit(by_tile: dict[int, Layers], level: str) -> None:
    _, layers = by_tile[4]
    flags = [*CHECKED, level] if level == "-O1" else ["-std=c11", "-ffp-contract=off", level]
    program = build_layers([plan for plan, _ in layers], flags=flags)
    for layer in range(len(layers)):
        expected = run_all_lengths(*by_tile[4], layer)
        assert run_all_lengths(program, layers, layer) == expected
