"""Reductions over axes, and the variance built from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from scanlet.frontend.lowering.arithmetic import binary, unary
from scanlet.frontend.lowering.context import Context, Unavailable, Value, axes_of
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import Reduce

Dims = Sequence[int] | int | None


def reduce(context: Context, kind: str, x: Value, dims: Dims, keepdim: bool) -> Tensor:
    y = context.activation(x)
    return context.emit(Reduce(kind, axes_of(dims, len(y.shape)), bool(keepdim)), y)


def _check_dtype(context: Context, dtype: object) -> None:
    if dtype not in (None, torch.float32):
        raise context.refusal(f"a reduction in {dtype}")


@lowers("mean.default")
def mean_all(context: Context, x: Value, *, dtype: object = None) -> Tensor:
    # mean(Tensor self, *, ScalarType? dtype=None) -> Tensor
    _check_dtype(context, dtype)
    return reduce(context, "mean", x, None, False)


@lowers("mean.dim")
def mean(
    context: Context, x: Value, dim: Dims, keepdim: bool = False, *, dtype: object = None
) -> Tensor:
    # mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
    _check_dtype(context, dtype)
    return reduce(context, "mean", x, dim, keepdim)


@lowers("sum.default")
def sum_all(context: Context, x: Value, *, dtype: object = None) -> Tensor:
    # sum(Tensor self, *, ScalarType? dtype=None) -> Tensor
    _check_dtype(context, dtype)
    return reduce(context, "sum", x, None, False)


@lowers("sum.dim_IntList")
def sum_(
    context: Context, x: Value, dim: Dims, keepdim: bool = False, *, dtype: object = None
) -> Tensor:
    # sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None)
    #   -> Tensor
    _check_dtype(context, dtype)
    return reduce(context, "sum", x, dim, keepdim)


@lowers("amax.default", "max.default")
def amax(context: Context, x: Value, dim: Dims = (), keepdim: bool = False) -> Tensor:
    # amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor
    # max(Tensor self) -> Tensor
    return reduce(context, "max", x, dim, keepdim)


@lowers("amin.default", "min.default")
def amin(context: Context, x: Value, dim: Dims = (), keepdim: bool = False) -> Tensor:
    # amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor
    # min(Tensor self) -> Tensor
    return reduce(context, "min", x, dim, keepdim)


@lowers("max.dim")
def max_dim(context: Context, x: Value, dim: int, keepdim: bool = False) -> tuple:
    # max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)
    return amax(context, x, dim, keepdim), Unavailable("the index of a maximum")


@lowers("min.dim")
def min_dim(context: Context, x: Value, dim: int, keepdim: bool = False) -> tuple:
    # min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)
    return amin(context, x, dim, keepdim), Unavailable("the index of a minimum")


def _variance(context: Context, x: Any, dim: Dims, correction: float, keepdim: bool) -> Tensor:
    x = context.activation(x)
    axes = axes_of(dim, len(x.shape))
    count = int(np.prod([x.shape[axis] for axis in axes]))
    if count <= correction:
        raise context.refusal(f"a variance of {count} values with correction {correction}")
    centred = binary(context, "sub", x, reduce(context, "mean", x, axes, True))
    variance = reduce(context, "mean", unary(context, "square", centred), axes, keepdim)
    if not correction:
        return variance
    return binary(context, "mul", variance, count / (count - correction))


@lowers("var.correction")
def variance(
    context: Context, x: Value, dim: Dims = None, *, correction: Any = 1, keepdim: bool = False
) -> Tensor:
    # var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None,
    #   bool keepdim=False) -> Tensor
    return _variance(context, x, dim, 1 if correction is None else correction, keepdim)


@lowers("var.dim")
def variance_dim(
    context: Context, x: Value, dim: Dims, unbiased: bool = True, keepdim: bool = False
) -> Tensor:
    # var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor
    return _variance(context, x, dim, int(unbiased), keepdim)


@lowers("var_mean.correction")
def variance_mean(
    context: Context, x: Value, dim: Dims = None, *, correction: Any = 1, keepdim: bool = False
) -> tuple:
    # var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None,
    #   bool keepdim=False) -> (Tensor, Tensor)
    spread = _variance(context, x, dim, 1 if correction is None else correction, keepdim)
    return spread, reduce(context, "mean", x, dim, keepdim)


@lowers("std.correction")
def deviation(
    context: Context, x: Value, dim: Dims = None, *, correction: Any = 1, keepdim: bool = False
) -> Tensor:
    # std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None,
    #   bool keepdim=False) -> Tensor
    given = 1 if correction is None else correction
    return unary(context, "sqrt", _variance(context, x, dim, given, keepdim))


@lowers("std.dim")
def deviation_dim(
    context: Context, x: Value, dim: Dims, unbiased: bool = True, keepdim: bool = False
) -> Tensor:
    # std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor
    return unary(context, "sqrt", _variance(context, x, dim, int(unbiased), keepdim))


@lowers("linalg_vector_norm.default")
def vector_norm(
    context: Context,
    x: Value,
    ord: float = 2,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: object = None,
) -> Tensor:
    # linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *,
    #   ScalarType? dtype=None) -> Tensor
    _check_dtype(context, dtype)
    if ord == 1:
        return reduce(context, "sum", unary(context, "abs", x), dim, keepdim)
    if ord != 2:
        raise context.refusal(f"a vector norm of order {ord}", hint="use order 1 or 2")
    return unary(context, "sqrt", reduce(context, "sum", unary(context, "square", x), dim, keepdim))
