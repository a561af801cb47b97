"""The meaning of SELECTIVE_SSM against a direct transcription of the recurrence in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scanlet.errors import GraphError
from scanlet.graph.operators import WEIGHT_ORDER, SelectiveSSM
from scanlet.graph.operators.selective_ssm import INNER_NORM_WEIGHTS, REQUIRED_WEIGHTS

E, N, R, K, D, FEATURES = 6, 3, 2, 4, 5, 7


def make(rng: np.random.Generator, optional: set[str], d_out: int = D) -> dict[str, np.ndarray]:
    """Random weights: the required ones and those named in `optional`."""
    shapes: dict[str, tuple[int, ...]] = {
        "input_weight": (D, FEATURES),
        "input_bias": (D,),
        "norm_weight": (D,),
        "norm_bias": (D,),
        "in_proj_weight": (2 * E, D),
        "in_proj_bias": (2 * E,),
        "conv_weight": (E, K),
        "conv_bias": (E,),
        "x_proj_weight": (R + 2 * N, E),
        "dt_proj_weight": (E, R),
        "dt_proj_bias": (E,),
        "A": (E, N),
        "D": (E,),
        "out_proj_weight": (d_out, E),
        "out_proj_bias": (d_out,),
        "dt_norm_weight": (R,),
        "b_norm_weight": (N,),
        "c_norm_weight": (N,),
    }
    weights = {
        name: rng.standard_normal(shapes[name])
        for name in WEIGHT_ORDER
        if name in REQUIRED_WEIGHTS or name in optional
    }
    weights["A"] = -np.exp(weights["A"])
    return weights


def operator(weights: dict[str, np.ndarray], **options: Any) -> SelectiveSSM:
    return SelectiveSSM(tuple(weights), E, N, R, K, **options)


def softplus(x: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(x)) in full: torch's own is x itself above 20, 2e-9 off."""
    return torch.logaddexp(x, torch.zeros_like(x))


def direct(x: np.ndarray, weights: dict[str, np.ndarray], op: SelectiveSSM) -> np.ndarray:
    """One step after the other, as the paper writes it; the causal convolution by torch."""
    w = {name: torch.from_numpy(value) for name, value in weights.items()}
    r = torch.from_numpy(x)  # (1, L, F)
    if op.reverse:
        r = r.flip(1)
    if "input_weight" in w:
        r = F.linear(r, w["input_weight"], w.get("input_bias"))
    u = r
    if op.norm == "layer":
        u = F.layer_norm(r, (D,), w.get("norm_weight"), w.get("norm_bias"), op.norm_eps)
    elif op.norm == "rms":
        u = F.rms_norm(r, (D,), w.get("norm_weight"), op.norm_eps) + w.get("norm_bias", 0)
    u, z = F.linear(u, w["in_proj_weight"], w.get("in_proj_bias")).chunk(2, dim=-1)
    u = F.conv1d(u.mT, w["conv_weight"][:, None], w.get("conv_bias"), padding=K - 1, groups=E)[
        ..., : x.shape[1]
    ].mT
    u = F.silu(u)
    steps = []
    h = torch.zeros(E, N, dtype=torch.float64)
    for u_t, z_t in zip(u[0], z[0], strict=True):
        dt, b, c = (w["x_proj_weight"] @ u_t).split([R, N, N])
        if op.inner_norm:
            dt, b, c = (
                F.rms_norm(rows, rows.shape, w.get(f"{name}_norm_weight"), op.inner_norm_eps)
                for name, rows in (("dt", dt), ("b", b), ("c", c))
            )
        delta = softplus(w["dt_proj_weight"] @ dt + w["dt_proj_bias"])
        for channel in range(E):
            for state in range(N):
                h[channel, state] = (
                    torch.exp(delta[channel] * w["A"][channel, state]) * h[channel, state]
                    + delta[channel] * b[state] * u_t[channel]
                )
        y = torch.stack([(h[channel] * c).sum() for channel in range(E)]) + w["D"] * u_t
        steps.append(F.linear(y * F.silu(z_t), w["out_proj_weight"], w.get("out_proj_bias")))
    y = torch.stack(steps)[None]
    if op.residual:
        y = y + r
    if op.pooling:
        return (y.mean(1) if op.pooling == "mean" else y[:, -1]).numpy()
    return (y.flip(1) if op.reverse else y).numpy()


OPTIONAL = sorted(set(WEIGHT_ORDER) - REQUIRED_WEIGHTS)


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(1, 7),
    optional=st.sets(st.sampled_from(OPTIONAL)),
    norm=st.sampled_from([None, "layer", "rms"]),
    inner_norm=st.sampled_from([None, "rms"]),
    residual=st.booleans(),
    reverse=st.booleans(),
    pooling=st.sampled_from([None, "mean", "last"]),
    seed=st.integers(0, 1000),
)
def test_every_combination_of_options(
    length: int,
    optional: set[str],
    norm: str | None,
    inner_norm: str | None,
    residual: bool,
    reverse: bool,
    pooling: str | None,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    if norm is None:
        optional = optional - {"norm_weight", "norm_bias"}
    if inner_norm is None:
        optional = optional - INNER_NORM_WEIGHTS
    if "input_weight" not in optional:
        optional = optional - {"input_bias"}
    weights = make(rng, optional)
    op = operator(
        weights,
        norm=norm,
        norm_eps=1e-3,
        residual=residual,
        reverse=reverse,
        pooling=pooling,
        inner_norm=inner_norm,
        inner_norm_eps=1e-2,
    )
    x = rng.standard_normal((1, length, FEATURES if "input_weight" in weights else D))
    got = op.evaluate(x, *weights.values())
    expected = direct(x, weights, op)
    assert got.shape == op.infer_shape(x.shape, *[v.shape for v in weights.values()])
    assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


def test_outputs_of_another_width() -> None:
    rng = np.random.default_rng(0)
    weights = make(rng, {"out_proj_bias"}, d_out=2)
    op = operator(weights, pooling="mean")
    x = rng.standard_normal((1, 4, D))
    assert_allclose(op.evaluate(x, *weights.values()), direct(x, weights, op), rtol=1e-10)


def test_float32_stays_float32() -> None:
    rng = np.random.default_rng(0)
    weights = make(rng, {"conv_bias", "norm_weight"})
    op = operator(weights, norm="rms", norm_eps=1e-5)
    x = rng.standard_normal((1, 4, D))
    singles = [array.astype(np.float32) for array in (x, *weights.values())]
    got = op.evaluate(*singles)
    assert got.dtype == np.float32
    assert_allclose(got, direct(x, weights, op), rtol=1e-3, atol=1e-4)


def test_the_output_depends_on_the_past_only() -> None:
    rng = np.random.default_rng(0)
    weights = make(rng, {"conv_bias"})
    x = rng.standard_normal((1, 6, D))
    changed = x.copy()
    changed[:, 4:] += 1
    op = operator(weights)
    a, b = (op.evaluate(array, *weights.values()) for array in (x, changed))
    assert_allclose(a[:, :4], b[:, :4], rtol=1e-14)
    assert np.abs(a[:, 4:] - b[:, 4:]).max() > 1e-3


def test_weights_out_of_order_or_missing_are_refused() -> None:
    names = tuple(make(np.random.default_rng(0), set()))
    for wrong in (names[1:], names[::-1], (*names, names[0]), names[:-1]):
        with pytest.raises(GraphError, match="incomplete or out of order"):
            SelectiveSSM(wrong, E, N, R, K)


def test_weights_of_inner_norms_need_the_inner_norm() -> None:
    weights = make(np.random.default_rng(0), {"b_norm_weight"})
    assert operator(weights, inner_norm="rms").inner_norm == "rms"
    with pytest.raises(GraphError, match="no inner_norm"):
        operator(weights)


@pytest.mark.parametrize("name", ["in_proj_weight", "conv_bias", "A", "D", "dt_proj_weight"])
def test_a_weight_of_another_shape_is_refused(name: str) -> None:
    weights = make(np.random.default_rng(0), {"conv_bias"})
    weights[name] = weights[name][:-1]
    with pytest.raises(GraphError, match=name):
        operator(weights).infer_shape((1, 4, D), *[v.shape for v in weights.values()])


@pytest.mark.parametrize("shape", [(4, D), (2, 4, D), (1, 0, D), (1, 4, D + 1)])
def test_an_input_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    weights = make(np.random.default_rng(0), set())
    with pytest.raises(GraphError, match="SELECTIVE_SSM"):
        operator(weights).infer_shape(shape, *[v.shape for v in weights.values()])


def test_options_that_do_not_fit_are_refused() -> None:
    weights = make(np.random.default_rng(0), set(), d_out=2)
    shapes = [v.shape for v in weights.values()]
    with pytest.raises(GraphError, match="residual of 5 features onto 2"):
        operator(weights, residual=True).infer_shape((1, 4, D), *shapes)
    weights = make(np.random.default_rng(0), {"input_weight"})
    with pytest.raises(GraphError, match="input Linear"):
        operator(weights).infer_shape((1, 4, D), *[v.shape for v in weights.values()])
