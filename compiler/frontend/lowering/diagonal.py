"""The opaque operator that stands for a recognised diagonal state-space model."""

from __future__ import annotations

import numpy as np

from scanlet.frontend.diagonal_operator import DIAGONAL_ARGUMENTS
from scanlet.frontend.lowering.context import Context, Value
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import DIAGONAL_WEIGHT_ORDER, DiagonalSSM


@lowers("scanlet.diagonal_ssm.default")
def diagonal_ssm(context: Context, x: Value, *weights: Value | None) -> Tensor:
    # scanlet::diagonal_ssm(Tensor x, Tensor log_dt, Tensor log_A_real, Tensor? A_imag, Tensor C,
    #   Tensor D) -> Tensor
    given = {k: w for k, w in zip(DIAGONAL_ARGUMENTS, weights, strict=True) if w is not None}
    values = {k: context.fixed(w, k).astype(np.float64) for k, w in given.items()}
    a, c = -np.exp(values["log_A_real"]), values["C"]
    is_complex = "A_imag" in values
    if is_complex:
        a, c = a + 1j * values["A_imag"], 2 * (c[..., 0] + 1j * c[..., 1])
    rate = np.expm1(a * np.exp(values["log_dt"])[:, np.newaxis])
    arrays = {"A_less_1": rate, "C": c * rate / a, "D": values["D"]}
    stem = context.path_of(given["log_A_real"]) or f"{context.name}.log_A_real"
    stem = stem.removesuffix("log_A_real")
    named = [
        context.named(f"{stem}{name}", _stored(arrays[name])) for name in DIAGONAL_WEIGHT_ORDER
    ]
    op = DiagonalSSM(
        DIAGONAL_WEIGHT_ORDER, d_inner=a.shape[0], d_state=a.shape[1], complex=is_complex
    )
    return context.emit(op, context.activation(x), *named)


def _stored(data: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs of floats."""
    return np.stack([data.real, data.imag], axis=-1) if np.iscomplexobj(data) else data
