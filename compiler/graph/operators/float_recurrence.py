"""The recurrence of an integer mixer with a float32 state: every rounding is stated here.

All of it is in float32, each product and each sum rounded to nearest by itself. The C kernels
(tflm_ops/kernels/real_scan.h) equal it bit for bit in builds without fused multiply-adds, and are
within a step of y where a core fuses them.
"""

from __future__ import annotations

import math

import numpy as np

REAL = np.float32
#: Added to each element of B and each delta * u, so that a state fades to about 2^-102 and not
#: through the subnormal numbers.
LIFT = REAL(2.0**-51)
#: Entries of the table of powers for each octave, and what centres the error of the straight line
#: between two of them.
ENTRIES = REAL(1024)
CENTRED = 1 + 2e-8
LN2 = REAL(math.log(2))


def power_of_two(x: np.ndarray) -> np.ndarray:
    """2^x, x at least -126 and at most 127 and clamped to that: a table, and a line from there."""
    x = np.clip(x, REAL(-126), REAL(127))
    entry = np.rint(x * ENTRIES) / ENTRIES
    power = (np.exp2(entry.astype(np.float64)) * CENTRED).astype(REAL)
    return np.asarray(power + power * (x - entry) * LN2, REAL)


def float_recurrence(
    delta: np.ndarray,
    u: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    *,
    rates: np.ndarray,
    skip: np.ndarray,
    units: np.ndarray,
    bc_scales: np.ndarray,
    h: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The last state (d_inner, d_state), float32, and y (L, d_inner), integers before saturation.

    Args:
        delta, u: integers (L, d_inner).
        b, c: integers (L, d_state).
        rates: A, float32 (d_inner, d_state).
        skip: D, float32 (d_inner,).
        units: float32 (d_inner, 3): what steps of delta and u stand for, steps of y in a unit.
        bc_scales: float32 (2 d_state,): what steps of b stand for, then of c.
        h: the state to go on from; zeros at first.
    """
    octaves = (rates.astype(np.float64) * math.log2(math.e)).astype(REAL)
    states = b.shape[1]
    step, x = delta.astype(REAL) * units[:, 0], u.astype(REAL) * units[:, 1]
    rows = b.astype(REAL) * bc_scales[:states] + LIFT
    out = c.astype(REAL) * bc_scales[states:]
    h = np.zeros(octaves.shape, REAL) if h is None else h
    y = np.empty(x.shape, REAL)
    for t in range(len(x)):
        decay = power_of_two(step[t][:, np.newaxis] * octaves)
        given = LIFT + step[t] * x[t]
        h = given[:, np.newaxis] * rows[t] + decay * h
        terms = np.concatenate([(skip * x[t])[:, np.newaxis], h * out[t]], axis=1)
        y[t] = np.add.accumulate(terms, axis=1)[:, -1]  # one after the other
    return h, np.rint(units[:, 2] * y)
