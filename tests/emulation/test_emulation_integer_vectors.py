"""The integer operator's vector code gives the definition's bits for shapes of every remainder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from emulation_programs import program
from integer_cases import random_case

from scanlet.execution.emulation import run_program
from scanlet.execution.on_core import run_on_core
from scanlet.graph.operators import fixed_point
from scanlet.planning.plan import make_plan
from scanlet.resources import resource_dir
from scanlet.targets import find

#: clang's code and gcc's, which differ in what their assemblers know.
CORES = ("cortex-m55", "cortex-m55-gcc")

#: (tile, options): octets that are not full, no or many taps, states in one to five vectors.
CASES: tuple[tuple[int, dict[str, Any]], ...] = (
    (4, {"d_inner": 15, "d_state": 7, "dt_rank": 9, "d_conv": 3, "features": 8, "d_out": 9}),
    (4, {"d_inner": 24, "d_state": 6, "dt_rank": 3, "d_conv": 2, "activation": "int16"}),
    (4, {"d_inner": 9, "d_state": 33, "dt_rank": 17, "pooling": "mean", "residual": True}),
    (8, {"d_inner": 25, "d_state": 11, "dt_rank": 8, "linear": True, "residual": True}),
    (8, {"d_inner": 1, "d_state": 17, "dt_rank": 1, "d_conv": 5, "pooling": "last", "d_out": 1}),
    (6, {"d_inner": 7, "d_state": 32, "dt_rank": 5, "d_conv": 1, "norm": "rms", "reverse": True}),
    (1, {"d_inner": 17, "d_state": 24, "dt_rank": 16, "features": 25, "activation": "int16"}),
)


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("index", range(len(CASES)))
@pytest.mark.parametrize("core", CORES)
def test_vectors_give_the_definition_s_bits(core: str, index: int, extreme: bool) -> None:
    tile, options = CASES[index]
    case = random_case(40 + index, length=13, extreme=extreme, **options)
    graph = case.graph()
    plan = make_plan(graph, replace(find("cortex-m55"), core=core), tile=tile)
    ((y,),) = run_on_core(graph, plan, [(case.x,)])
    np.testing.assert_array_equal(y[0], case.expected())


def run_vectors(core: str, body: str, *columns: np.ndarray) -> np.ndarray:
    """What `body` makes of each vector; `columns` (vectors, 8), int16, reach it as v[0], v[1], ..

    It stores eight int16 at `y`.
    """
    kernels = resource_dir("tflm_ops") / "kernels"
    sources = {f"kernels/{path.name}": path.read_text("utf-8") for path in kernels.glob("*.h")}
    before = """
#define SCANLET_INT_LAYOUT SCANLET_OCTETS
#define SCANLET_INT_LANES 8
#include "kernels/scanlet_int_kernels.h"
#if !SCANLET_INT_MVE
#error "no vectors"
#endif
"""
    main = f"""
  const int16_t (*v)[8] = (const int16_t (*)[8])(const void*)scanlet_input;
  static int16_t y[8];
  for (int i = 0; i < {len(columns[0])}; ++i) {{
    {body}
    scanlet_emit(y, sizeof y);
    v += {len(columns)};
  }}
"""
    data = np.stack(columns, axis=1).astype(np.int16)
    result = run_program(core, sources | program(main, before=before), input_bytes=data.tobytes())
    return np.frombuffer(result.output, np.int16).reshape(-1, 8)


def drawn(rng: np.random.Generator, count: int, ends: tuple[int, ...]) -> np.ndarray:
    """(count, 8) of which half are at the ends of the range, or other values that matter."""
    anywhere = rng.integers(min(ends), max(ends) + 1, (count, 8))
    return np.where(rng.random((count, 8)) < 0.5, rng.choice(ends, (count, 8)), anywhere)


@pytest.mark.parametrize("core", CORES)
def test_silu_of_vectors_equals_the_definition(core: str) -> None:
    values = np.concatenate([np.arange(-32768, 32768, 64), np.arange(-32768, -32760), [32767] * 8])
    count = len(values) // 8
    value = np.tile(values.reshape(count, 8), (16, 1))
    fraction = np.repeat(np.arange(5, 21), count)[:, np.newaxis] * np.ones((1, 8), np.int64)
    body = """
    const scanlet_mve_int_wide fraction = {vdupq_n_s32(v[1][0]), vdupq_n_s32(v[1][0])};
    vst1q_s16(y, scanlet_mve_int_silu(vld1q_s16(v[0]), scanlet_mve_int_shifts_of(fraction)));
"""
    got = run_vectors(core, body, value, fraction)
    np.testing.assert_array_equal(got, fixed_point.silu(value, fraction))


@pytest.mark.parametrize("core", CORES)
def test_decay_of_vectors_equals_the_definition(core: str) -> None:
    rng = np.random.default_rng(0)
    rates = drawn(rng, 1600, (0, 1, 255, 32766, 32767))
    delta = drawn(rng, 1600, (0, 1, 128, 32767))[:, :1] * np.ones((1, 8), np.int64)
    shift = np.tile(np.arange(8, 24), 100)[:, np.newaxis] * np.ones((1, 8), np.int64)
    body = "vst1q_s16(y, scanlet_mve_int_decay(vld1q_s16(v[0]), v[1][0], 15 - v[2][0]));"
    got = run_vectors(core, body, rates, delta, shift)
    np.testing.assert_array_equal(got, fixed_point.decay(rates * delta, shift))


@pytest.mark.parametrize("core", CORES)
def test_the_state_saturates_as_a_whole(core: str) -> None:
    """Also where du * b alone is beyond what a doubled product holds."""
    rng = np.random.default_rng(0)
    ends = (-32768, -32767, -1, 0, 1, 32767)
    h, b = drawn(rng, 3000, ends), drawn(rng, 3000, ends)
    decay = drawn(rng, 3000, (0, 1, 64, 32704, 32767))
    du = drawn(rng, 3000, ends)[:, :1] * np.ones((1, 8), np.int64)
    rounding = drawn(rng, 3000, (64, 16384, 32704))[:, :1] * np.ones((1, 8), np.int64)
    h[:500], b[:1000], du[:1000] = rounding[:500], -32768, -32768
    decay[:500] = 32767  # decay * h + rounding is then a multiple of 2^15
    body = """
    vst1q_s16(y, scanlet_mve_int_state(vld1q_s16(v[0]), vld1q_s16(v[1]), vld1q_s16(v[2]), v[3][0],
                                       2 * v[4][0] + 1));
"""
    got = run_vectors(core, body, h, decay, b, du, rounding)
    expected = fixed_point.saturate((decay * h + du * b + rounding) >> 15)
    np.testing.assert_array_equal(got, expected)
