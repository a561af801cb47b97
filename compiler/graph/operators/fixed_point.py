"""Fixed-point arithmetic that the integer operator is made of: every rounding is stated here.

All functions take and return integer arrays (computed in int64); the C kernels in
tflm_ops/kernels/int_*.h equal them bit for bit. Tables are float64 expressions rounded once.
"""

from __future__ import annotations

import numpy as np

#: Entries of the sigmoid and softplus tables for each unit of their argument, which they cover
#: from -16 to 16, and entries of the decay table for each unit.
STEPS = 32
REACH = 16
DECAY_STEPS = 128
_ARGUMENTS = np.arange(-REACH * STEPS, REACH * STEPS + 1) / STEPS

#: sigmoid(j / 32 - 16) in Q0.15, 0 <= j <= 1024.
SIGMOID_TABLE = np.round(32768 / (1 + np.exp(-_ARGUMENTS))).astype(np.int64)

#: ln(1 + exp(j / 32 - 16)) in Q24, 0 <= j <= 1024.
SOFTPLUS_TABLE = np.round(np.logaddexp(0, _ARGUMENTS) * 2**24).astype(np.int64)

#: exp(-j / 128) in Q0.15, 0 <= j < 2048, lifted by h^2 / 4 for a step h = 1 / 128: the tangent that
#: is drawn from each entry then errs by h^2 / 4 to either side. At most 32767, to fit an int16.
DECAY_TABLE = np.minimum(
    np.round(
        32768 * np.exp(-np.arange(REACH * DECAY_STEPS) / DECAY_STEPS) * (1 + DECAY_STEPS**-2 / 4)
    ),
    32767,
).astype(np.int64)


def scale(value: np.ndarray, factor: np.ndarray | int) -> np.ndarray:
    """value * factor / 2^32, to nearest, halves up; |value| <= 2^31, |factor| < 2^31."""
    return (np.asarray(value, np.int64) * factor + (1 << 31)) >> 32


def saturate(value: np.ndarray, bits: int = 16) -> np.ndarray:
    """To the range of a signed integer of `bits` bits."""
    return np.clip(value, -(1 << bits - 1), (1 << bits - 1) - 1)


def silu(value: np.ndarray, fraction: np.ndarray | int) -> np.ndarray:
    """v * sigmoid(v); argument and result are int16 with `fraction` (5 to 20) fractional bits."""
    low = np.asarray(fraction) - 5
    sigmoid = _interpolated(SIGMOID_TABLE, np.asarray(value, np.int64), low)
    return (value * sigmoid + (1 << 14)) >> 15


def softplus(value: np.ndarray, fraction: int) -> np.ndarray:
    """ln(1 + exp(v)) in Q24; v is an int16 with `fraction` (9 to 15) fractional bits.

    From 16 on, v itself.
    """
    value = np.asarray(value, np.int64)
    below = _interpolated(SOFTPLUS_TABLE, value, np.asarray(fraction - 5))
    return np.where(value >> fraction >= REACH, value << (24 - fraction), below)


def _interpolated(table: np.ndarray, value: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Between two entries of a table over -16 to 16, by the `low` bits below an entry."""
    index = np.clip(value >> low, -REACH * STEPS, REACH * STEPS - 1) + REACH * STEPS
    rest = value & ((1 << low) - 1)
    return table[index] + (((table[index + 1] - table[index]) * rest) >> low)


def decay(exponent: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """exp(-exponent / 2^(shift + 7)) in Q0.15; 0 <= exponent < 2^31, 8 <= shift <= 23."""
    fine = np.minimum(np.asarray(exponent, np.int64) >> (shift - 8), (REACH * DECAY_STEPS << 8) - 1)
    entry = DECAY_TABLE[fine >> 8]
    return entry - ((entry * (fine & 255)) >> 15)


def rounding(step: int) -> int:
    """What is added before the state's 15 fractional bits are dropped at a step since the start.

    The van der Corput sequence of the last eight bits, in [2^6, 2^15): over time it averages to a
    half. A constant half would hold a slowly decaying state where decay times state rounds back
    to it, some hundred steps above zero.
    """
    reversed_bits = int(f"{step & 255:08b}"[::-1], 2)
    return reversed_bits * 128 + 64


def product(weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x (L, depth) times weight (outputs, depth), exactly: (L, outputs), below 2^53 throughout."""
    return (x.astype(np.float64) @ weight.astype(np.float64).T).astype(np.int64)


def integer_sqrt(value: int) -> int:
    """The largest root with root^2 <= value, value < 2^64."""
    root = int(np.sqrt(float(value)))
    while root * root > value:
        root -= 1
    while (root + 1) * (root + 1) <= value:
        root += 1
    return root
