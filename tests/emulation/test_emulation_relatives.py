"""Mamba-2 and diagonal layers on every core: what they mean, and the same bits everywhere."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from emulation_programs import program

from scanlet.emit.operator_source import render_component
from scanlet.execution.emulation import CORES, run_program
from scanlet.graph import Node, Tensor, constant
from scanlet.graph.operators import DiagonalSSM, LayerOperator, Mamba2
from scanlet.planning.kinds import kind_of
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import pack_layer
from scanlet.targets import find

FEATURES, LONGEST = 8, 11
MAMBA2_SHAPES = {
    "in_proj_weight": (2 * 18 + 2 * 2 * 5 + 6, FEATURES),
    "conv_weight": (18 + 2 * 2 * 5, 4),
    "conv_bias": (18 + 2 * 2 * 5,),
    "dt_bias": (6,),
    "A": (6,),
    "D": (6,),
    "norm_weight": (18,),
    "out_proj_weight": (FEATURES, 18),
}

# All lengths up to LONGEST of each layer, each from zero state.
BODY = """
  static uint8_t scratch[SCRATCH] __attribute__((aligned(16)));
  static uint8_t state[STATE] __attribute__((aligned(16)));
  static float y[LONGEST * FEATURES];
  const float* const x = (const float*)scanlet_input;
  const float* at = x + LONGEST * FEATURES;
  for (int l = 0; l < LAYERS; ++l) {
    const scanlet_layer* const layer = &model_layers[l];
    const void* weights[16];
    for (int i = 0; i < layer->weight_count; ++i) {
      weights[i] = at;
      int32_t elements = 1;
      for (int axis = 0; axis < layer->weights[i].rank; ++axis) {
        elements *= layer->weights[i].dims[axis];
      }
      at += (elements + 3) / 4 * 4;
    }
    for (int length = 1; length <= LONGEST; ++length) {
      memset(scratch, 0xff, sizeof scratch);  // a read of it before a write shows as NaN
      memset(state, 0, sizeof state);
      layer->run(x, y, length, weights, scratch, state);
      scanlet_emit(y, (uint32_t)(length * FEATURES) * sizeof *y);
    }
  }
"""


@cache
def layers() -> list[tuple[LayerOperator, dict[str, np.ndarray]]]:
    rng = np.random.default_rng(3)
    mamba2 = {
        name: (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)
        for name, shape in MAMBA2_SHAPES.items()
    }
    mamba2["A"] = -np.exp(mamba2["A"])
    a = rng.uniform(0.5, 0.99, (FEATURES, 3)) * np.exp(1j * rng.uniform(0, 3, (FEATURES, 3)))
    c = rng.standard_normal(a.shape) + 1j * rng.standard_normal(a.shape)
    pairs = [np.stack([v.real, v.imag], -1).astype(np.float32) for v in (a - 1, c)]
    skip = rng.standard_normal(FEATURES).astype(np.float32)
    made: list[tuple[LayerOperator, dict[str, np.ndarray]]] = [
        (Mamba2(tuple(mamba2), 18, 5, 6, 4, groups=2, norm_groups=2, dt_max=1.5), mamba2)
    ]
    for A, C, is_complex in ((*pairs, True), (np.abs(a) - 1, c.real, False)):  # noqa: N806
        weights = {"A_less_1": A.astype(np.float32), "C": C.astype(np.float32), "D": skip}
        made.append((DiagonalSSM(tuple(weights), FEATURES, 3, complex=is_complex), weights))
    return made


def plans(core: str, tile: int) -> list[LayerPlan]:
    found = []
    for index, (op, weights) in enumerate(layers()):
        x = Tensor("x", (1, LONGEST, FEATURES))
        inputs = [x, *(constant(name, data) for name, data in weights.items())]
        y = Tensor("y", op.infer_shape(*(tensor.shape for tensor in inputs)))
        node = Node(op, inputs, [y])
        found.append(kind_of(op).plan(node, find(core), index, f"layer{index}", tile))
    return found


def sequence() -> np.ndarray:
    return np.random.default_rng(4).standard_normal((1, LONGEST, FEATURES)).astype(np.float32)


@cache
def outputs(core: str, *, fused: bool, tile: int = 4) -> list[np.ndarray]:
    """What each layer gives, first for the shortest sequence."""
    made = plans(core, tile)
    component = render_component(made, name="model", uses_gelu=False, target=find(core))
    packed = [
        weight.data
        for plan, (_, weights) in zip(made, layers(), strict=True)
        for weight in pack_layer(plan, weights)
    ]
    blob = [np.pad(array.ravel(), (0, -array.size % 4)) for array in (sequence(), *packed)]
    result = run_program(
        core,
        sources={
            **program(BODY, before='#include "selective_ssm_model.h"'),
            **{name: text for name, text in component.items() if name.endswith((".c", ".h"))},
        },
        input_bytes=np.concatenate(blob).astype(np.float32).tobytes(),
        defines=[
            f"SCRATCH={max(plan.scratch_bytes for plan in made)}",
            f"STATE={max(plan.state_bytes for plan in made)}",
            *(f"LONGEST={LONGEST}", f"FEATURES={FEATURES}", f"LAYERS={len(made)}"),
        ],
        fused=fused,
    )
    ends = np.cumsum(np.tile(np.arange(1, LONGEST + 1) * FEATURES, len(made)))
    return np.split(np.frombuffer(result.output, np.float32), ends[:-1])


@pytest.mark.parametrize("fused", [False, True])
def test_layers_compute_what_they_mean_at_every_length(core: str, fused: bool) -> None:
    got = outputs(core, fused=fused)
    for index, (op, weights) in enumerate(layers()):
        meaning = op.evaluate(sequence(), *weights.values()).ravel()
        runs = got[index * LONGEST : (index + 1) * LONGEST]
        np.testing.assert_allclose(runs[-1], meaning, rtol=0, atol=3e-6 * np.abs(meaning).max())
        for length, run in enumerate(runs, 1):
            assert run.tobytes() == runs[-1][: length * FEATURES].tobytes(), length


def test_unfused_layers_give_the_same_bits_on_every_core() -> None:
    bits = {core: np.concatenate(outputs(core, fused=False)).tobytes() for core in CORES}
    assert {core for core in CORES if bits[core] != bits["cortex-m7"]} == set()


def test_the_tile_changes_no_bit() -> None:
    whole, tiled = (outputs("cortex-m7", fused=False, tile=tile) for tile in (4, 3))
    assert np.concatenate(whole).tobytes() == np.concatenate(tiled).tobytes()
