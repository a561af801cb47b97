"""Rescaling is exact on every core, with and without an instruction for the upper half."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from emulation_programs import program

from scanlet.execution.emulation import CORES, run_program
from scanlet.graph.operators.fixed_point import scale
from scanlet.resources import resource_dir

BODY = """
  const int32_t* at = (const int32_t*)scanlet_input;
  for (int i = 0; i < COUNT; ++i) {
    const int32_t whole = scanlet_scale(at[2 * i], at[2 * i + 1]);
    const int32_t small = scanlet_scale_small(at[2 * i] >> 1, at[2 * i + 1]);
    scanlet_emit(&whole, 4);
    scanlet_emit(&small, 4);
  }
"""

#: Where halves of 16 bits carry, overflow or round.
VALUES = [-(2**31), -(2**31) + 1, -(2**16) - 1, -32769, -32768, -1, 0, 1, 32767, 32768, 65535]
VALUES += [65536, 2**30, 2**31 - 2**15 - 1, 2**31 - 2**15, 2**31 - 1]
FACTORS = [0, 1, 32767, 32768, 65535, 65536, 2**30, 2**31 - 2**15 - 1, 2**31 - 2**15, 2**31 - 1]


def pairs() -> np.ndarray:
    rng = np.random.default_rng(21)
    edges = np.array([(v, f) for v in VALUES for f in FACTORS])
    random = np.stack([rng.integers(-(2**31), 2**31, 300), rng.integers(0, 2**31, 300)], axis=1)
    # D may be negative; its values are multiples of 2^16.
    wide = np.array([-(2**31), -(2**16), 0, 2**16, 2**31 - 2**16])
    negative = np.array([(v, -f) for v in wide for f in FACTORS])
    return np.concatenate([edges, random, negative])


@pytest.mark.parametrize("core", list(CORES))
def test_rescaling_equals_its_definition_on_every_core(core: str) -> None:
    cases = pairs()
    kernels = sorted(Path(resource_dir("tflm_ops") / "kernels").glob("*.h"))
    sources = program(BODY, before='#include "kernels/int_scale.h"')
    sources |= {f"kernels/{path.name}": path.read_text("utf-8") for path in kernels}
    result = run_program(
        core,
        sources,
        input_bytes=cases.astype("<i4").tobytes(),
        output_bytes=8 * len(cases),
        defines=[f"COUNT={len(cases)}"],
    )
    whole, small = np.frombuffer(result.output, "<i4").reshape(-1, 2).T
    value, factor = cases.T
    np.testing.assert_array_equal(whole, scale(value, factor))
    # Halved, multiples of 2^16 no longer are: negative factors are beyond what is promised.
    kept = factor >= 0
    np.testing.assert_array_equal(small[kept], scale(value >> 1, factor)[kept])
