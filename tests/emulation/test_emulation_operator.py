"""The generated operator computes on every core what it means, with the same bits everywhere."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from emulation_programs import program

from scanlet.emit.operator_source import render_component
from scanlet.execution.emulation import CORES, Measurement, measure, run_program
from scanlet.graph import Node, Tensor, constant
from scanlet.graph.operators import SelectiveSSM
from scanlet.planning.layer import LayerPlan, plan_layer
from scanlet.planning.packing import pack_layer
from scanlet.targets import find

FEATURES, D_INNER, D_STATE, DT_RANK, D_CONV, D_OUT = 8, 18, 5, 3, 4, 6
LONGEST = 11

WEIGHT_SHAPES = {
    "in_proj_weight": (2 * D_INNER, FEATURES),
    "conv_weight": (D_INNER, D_CONV),
    "conv_bias": (D_INNER,),
    "x_proj_weight": (DT_RANK + 2 * D_STATE, D_INNER),
    "dt_proj_weight": (D_INNER, DT_RANK),
    "dt_proj_bias": (D_INNER,),
    "A": (D_INNER, D_STATE),
    "D": (D_INNER,),
    "out_proj_weight": (D_OUT, D_INNER),
}

SETUP = """
  static uint8_t scratch[SCRATCH] __attribute__((aligned(16)));
  static uint8_t state[STATE] __attribute__((aligned(16)));
  static float y[LENGTH * D_OUT];
  const void* weights[16];
  const float* at = (const float*)scanlet_input + LENGTH * FEATURES;
  const scanlet_layer* layer = &model_layers[0];
  for (int i = 0; i < layer->weight_count; ++i) {
    weights[i] = at;
    int32_t elements = 1;
    for (int axis = 0; axis < layer->weights[i].rank; ++axis) {
      elements *= layer->weights[i].dims[axis];
    }
    at += (elements + 3) / 4 * 4;
  }
"""

ONCE = """
  scanlet_count_begin();
  layer->run((const float*)scanlet_input, y, LENGTH, weights, scratch, state);
  scanlet_count_end();
  scanlet_emit(y, sizeof y);
"""

# All lengths up to LENGTH, each from zero state.
ALL_LENGTHS = """
  for (int length = 1; length <= LENGTH; ++length) {
    memset(scratch, 0xff, sizeof scratch);  // a read of it before a write shows as NaN
    memset(state, 0, sizeof state);
    layer->run((const float*)scanlet_input, y, length, weights, scratch, state);
    scanlet_emit(y, (uint32_t)(length * D_OUT) * sizeof *y);
  }
"""


@cache
def layer_weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    weights = {
        name: (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)
        for name, shape in WEIGHT_SHAPES.items()
    }
    weights["A"] = -np.exp(weights["A"])
    return weights


def layer_plan(length: int, tile: int = 4) -> LayerPlan:
    weights = layer_weights()
    op = SelectiveSSM(tuple(weights), D_INNER, D_STATE, DT_RANK, D_CONV)
    x = Tensor("x", (1, length, FEATURES))
    inputs = [x, *(constant(name, data) for name, data in weights.items())]
    output = Tensor("y", op.infer_shape(*(tensor.shape for tensor in inputs)))
    return plan_layer(Node(op, inputs, [output]), index=0, name="layer", tile=tile)


def layer_input(length: int) -> np.ndarray:
    shape = (1, LONGEST, FEATURES)
    return np.random.default_rng(12).standard_normal(shape).astype(np.float32)[:, :length]


def layer_program(core: str, body: str, plan: LayerPlan, length: int) -> dict[str, Any]:
    """What `measure` and `run_program` take to run `body` with x and y of `length` steps."""
    component = render_component([plan], name="model", uses_gelu=False, target=find(core))
    sources = {
        **program(SETUP + body, before='#include "selective_ssm_model.h"'),
        **{name: text for name, text in component.items() if name.endswith((".c", ".h"))},
    }
    # The weights follow the input, each from a boundary of 16 bytes.
    arrays = [layer_input(length), *(p.data for p in pack_layer(plan, layer_weights()))]
    blob = np.concatenate([np.pad(array.ravel(), (0, -array.size % 4)) for array in arrays])
    return {
        "core": core,
        "sources": sources,
        "input_bytes": blob.astype(np.float32).tobytes(),
        "defines": [
            *(f"SCRATCH={plan.scratch_bytes}", f"STATE={plan.state_bytes}"),
            *(f"LENGTH={length}", f"FEATURES={FEATURES}", f"D_OUT={D_OUT}"),
        ],
    }


@cache
def run_layer(core: str, *, fused: bool, length: int = LONGEST) -> Measurement:
    made = layer_program(core, ONCE, layer_plan(length), length)
    return measure(**made, output_bytes=4 * length * D_OUT, fused=fused)


def layer_output(core: str, *, fused: bool, length: int = LONGEST) -> np.ndarray:
    return np.frombuffer(run_layer(core, fused=fused, length=length).output, np.float32)


@pytest.mark.parametrize("fused", [False, True])
def test_the_operator_computes_what_it_means(core: str, fused: bool) -> None:
    weights = layer_weights()
    op = layer_plan(LONGEST).op
    meaning = op.evaluate(layer_input(LONGEST), *(weights[name] for name in op.weights)).ravel()
    output = layer_output(core, fused=fused)
    np.testing.assert_allclose(output, meaning, rtol=0, atol=2e-6 * np.abs(meaning).max())


def test_the_unfused_operator_gives_the_same_bits_on_every_core() -> None:
    outputs = {core: run_layer(core, fused=False).output for core in CORES}
    assert {core for core in CORES if outputs[core] != outputs["cortex-m7"]} == set()


@pytest.mark.parametrize("tile", [3, 4, 6])
@pytest.mark.parametrize("fused", [False, True])
def test_a_last_tile_of_any_size_gives_the_bits_of_a_longer_sequence(
    core: str, fused: bool, tile: int
) -> None:
    made = layer_program(core, ALL_LENGTHS, layer_plan(LONGEST, tile), LONGEST)
    values = np.frombuffer(run_program(**made, fused=fused).output, np.float32)
    ends = np.cumsum(np.arange(1, LONGEST + 1) * D_OUT)
    runs = np.split(values, ends[:-1])
    assert np.isfinite(runs[-1]).all()
    for length, run in enumerate(runs, 1):
        assert run.tobytes() == runs[-1][: length * D_OUT].tobytes(), length
    if not fused:
        assert runs[-1].tobytes() == run_layer("cortex-m7", fused=False).output


def test_a_core_without_fused_multiply_add_has_one_build() -> None:
    fused, unfused = (run_layer("rv32imc", fused=fused).output for fused in (True, False))
    assert fused == unfused
    assert run_layer("cortex-m7", fused=True).output != unfused


def test_instructions_grow_by_the_same_amount_with_each_tile(core: str) -> None:
    # Of the operator itself: software floats take an amount that depends on the values.
    counts = [
        run_layer(core, fused=True, length=length).per_function["layer_run"].instructions
        for length in (3, 7, 11)
    ]
    first, second = np.diff(counts)
    assert abs(first - second) <= 0.01 * first
