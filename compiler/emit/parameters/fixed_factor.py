"""Real factors as TFLite's kernels hold them."""

from __future__ import annotations

import math


def fixed_factor(real: float) -> tuple[int, int]:
    """(factor, shift) with real = factor / 2^31 * 2^shift and 2^30 <= factor < 2^31.

    (0, 0) for factors below 2^-32; larger ones than 2^30 are not representable.
    """
    if real <= 0.0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    factor = round(mantissa * (1 << 31))
    if factor == 1 << 31:
        factor, shift = factor // 2, shift + 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return (1 << 31) - 1, 30
    return factor, shift


def divided(factor: tuple[int, int], count: int) -> tuple[int, int]:
    """`factor` divided by `count`, with as many bits as there are."""
    value, shift = factor
    lift = min(count.bit_length() - 1, 32, 31 + shift)
    return (value << lift) // count, shift - lift
