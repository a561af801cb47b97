"""A selective scan without a mixer on cores: what it means, and the same bits on both."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from emulation_programs import program
from scan_cases import scan_plan, scan_streams, scan_weights

from scanlet.emit.operator_source import render_component
from scanlet.execution.emulation import run_program
from scanlet.planning.packing import pack_layer
from scanlet.targets import find

INNER, STATES, LONGEST = 10, 3, 11

# All lengths up to LONGEST, each from zero state.
BODY = """
  static uint8_t scratch[SCRATCH] __attribute__((aligned(16)));
  static uint8_t state[STATE] __attribute__((aligned(16)));
  static float y[LONGEST * INNER];
  const float* const x = (const float*)scanlet_input;
  const float* const a = x + X;
  const void* const weights[2] = {a, a + A};
  for (int length = 1; length <= LONGEST; ++length) {
    memset(scratch, 0xff, sizeof scratch);  // a read of it before a write shows as NaN
    memset(state, 0, sizeof state);
    model_layers[0].run(x, y, length, weights, scratch, state);
    scanlet_emit(y, (uint32_t)(length * INNER) * sizeof *y);
  }
"""


@cache
def outputs(core: str, *, fused: bool) -> list[np.ndarray]:
    """What each length gives, the shortest first."""
    rng = np.random.default_rng(3)
    weights = scan_weights(rng, INNER, STATES)
    plan = scan_plan(weights, tile=4, length=LONGEST, core=core)
    component = render_component([plan], name="model", uses_gelu=False, target=find(core))
    arrays = [scan_streams(rng, LONGEST, INNER, STATES)]
    arrays += [weight.data for weight in pack_layer(plan, weights)]
    blob = [np.pad(array.ravel(), (0, -array.size % 4)) for array in arrays]
    result = run_program(
        core,
        sources={
            **program(BODY, before='#include "selective_ssm_model.h"'),
            **{name: text for name, text in component.items() if name.endswith((".c", ".h"))},
        },
        input_bytes=np.concatenate(blob).astype(np.float32).tobytes(),
        defines=[
            f"SCRATCH={plan.scratch_bytes}",
            f"STATE={plan.state_bytes}",
            *(f"LONGEST={LONGEST}", f"INNER={INNER}", f"X={blob[0].size}", f"A={blob[1].size}"),
        ],
        fused=fused,
    )
    ends = np.cumsum(np.arange(1, LONGEST + 1) * INNER)
    return np.split(np.frombuffer(result.output, np.float32), ends[:-1])


@pytest.mark.parametrize("core", ["cortex-m7", "cortex-m55"])
@pytest.mark.parametrize("fused", [False, True])
def test_a_scan_computes_what_it_means_at_every_length(core: str, fused: bool) -> None:
    rng = np.random.default_rng(3)
    weights = scan_weights(rng, INNER, STATES)
    x = scan_streams(rng, LONGEST, INNER, STATES)[np.newaxis]
    op = scan_plan(weights, tile=4, length=LONGEST).op
    meaning = op.evaluate(*(array.astype(np.float64) for array in (x, *weights.values()))).ravel()
    runs = outputs(core, fused=fused)
    np.testing.assert_allclose(runs[-1], meaning, rtol=0, atol=3e-6 * np.abs(meaning).max())
    for length, run in enumerate(runs, 1):
        assert run.tobytes() == runs[-1][: length * INNER].tobytes(), length


def test_an_unfused_scan_gives_the_same_bits_with_and_without_vectors() -> None:
    scalar, vectors = (outputs(core, fused=False) for core in ("cortex-m7", "cortex-m55"))
    assert np.concatenate(scalar).tobytes() == np.concatenate(vectors).tobytes()
