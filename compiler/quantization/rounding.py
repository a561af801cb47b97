"""Weights to int8: one scale a row, rounding that compensates its own errors.

The error of a row e = w - q s on inputs x is E[(e x)^2] = e H e^T with H = E[x x^T]. Rounding one
weight after the other, each pushes its error onto those that follow (optimal brain quantization,
Frantar and Alistarh, arXiv:2208.11580; column after column as in GPTQ, arXiv:2210.17323). Then
each is moved to the best integer, the others being fixed, until nothing improves.
"""

from __future__ import annotations

import numpy as np

#: Share of H's mean diagonal that is added to it: it becomes invertible, and what few samples
#: say is not overdone.
DAMPING = 0.01
#: Passes over the columns after the first.
MAX_DESCENTS = 8
#: What row_scales tries for the largest weight that is kept, as a share of the largest one.
CLIP_FACTORS = tuple(1 - 0.025 * i for i in range(17))


def quantize_rows(
    weight: np.ndarray,
    scales: np.ndarray,
    second_moment: np.ndarray | None = None,
    *,
    limit: int = 127,
) -> np.ndarray:
    """The int8 matrix q (O, K) for which q * scales[:, None] stands in for `weight` (O, K).

    `second_moment` is E[x x^T] (K, K) of the product's input; without it each weight is rounded to
    the nearest integer. With it no row's error e H e^T is greater than that of plain rounding.
    Rows are independent of each other. |q| <= `limit`.
    """
    target = np.asarray(weight, np.float64) / np.asarray(scales, np.float64)[:, np.newaxis]
    plain = np.clip(np.round(target), -limit, limit)
    if second_moment is None or not np.any(np.diagonal(second_moment) > 0):
        return plain.astype(np.int8)
    moment = np.asarray(second_moment, np.float64)
    damped = moment + DAMPING * np.mean(np.diagonal(moment)) * np.eye(len(moment))
    rounded = _descend(target, _compensated(target, damped, limit), damped, limit)
    better = row_errors(target - rounded, moment) < row_errors(target - plain, moment)
    return np.where(better[:, np.newaxis], rounded, plain).astype(np.int8)


def row_scales(
    weight: np.ndarray, second_moment: np.ndarray | None = None, limit: int = 127
) -> np.ndarray:
    """The scale (O,) of each row of `weight` (O, K), greater than zero.

    The largest weight becomes `limit`; with `second_moment` some are clipped where that lowers the
    error e H e^T of plain rounding.
    """
    rows = np.asarray(weight, np.float64)
    largest = np.abs(rows).max(axis=1, initial=0.0)
    largest[largest == 0] = largest.max(initial=0.0) or 1.0  # rows of zeros: any scale will do
    if second_moment is None:
        return largest / limit
    best, scales = np.full(len(rows), np.inf), largest / limit
    for factor in CLIP_FACTORS:
        candidate = factor * largest / limit
        steps = candidate[:, np.newaxis]
        restored = np.clip(np.round(rows / steps), -limit, limit) * steps
        errors = row_errors(rows - restored, np.asarray(second_moment, np.float64))
        better = errors < best
        best, scales = np.where(better, errors, best), np.where(better, candidate, scales)
    return scales


def bias_correction(weight: np.ndarray, restored: np.ndarray, mean_input: np.ndarray) -> np.ndarray:
    """What the bias (O,) has to take up so that the mean output stays: (w - restored) E[x]."""
    return (np.asarray(weight, np.float64) - restored) @ np.asarray(mean_input, np.float64)


def row_errors(errors: np.ndarray, second_moment: np.ndarray) -> np.ndarray:
    """e H e^T of each row."""
    return np.einsum("ok,ok->o", errors @ second_moment, errors)


def _compensated(target: np.ndarray, damped: np.ndarray, limit: int) -> np.ndarray:
    """Column after column; what rounding takes from one goes to those behind it."""
    # Row k of the upper factor of H^-1 is what column k's error, over the diagonal, means to them.
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T
    left, rounded = target.copy(), np.empty_like(target)
    for k in range(target.shape[1]):
        rounded[:, k] = np.clip(np.round(left[:, k]), -limit, limit)
        error = (left[:, k] - rounded[:, k]) / factor[k, k]
        left[:, k + 1 :] -= error[:, np.newaxis] * factor[k, k + 1 :]
    return rounded


def _descend(target: np.ndarray, rounded: np.ndarray, damped: np.ndarray, limit: int) -> np.ndarray:
    """Coordinate descent from `rounded`: the error never grows, so it ends."""
    pull = (target - rounded) @ damped  # half the gradient, negative
    for _ in range(MAX_DESCENTS):
        moved = False
        for k in range(target.shape[1]):
            wanted = np.round(rounded[:, k] + pull[:, k] / damped[k, k])
            step = np.clip(wanted, -limit, limit) - rounded[:, k]
            if step.any():
                moved = True
                rounded[:, k] += step
                pull -= step[:, np.newaxis] * damped[k]
        if not moved:
            break
    return rounded
