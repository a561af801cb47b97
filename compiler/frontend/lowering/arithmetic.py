"""Elementwise arithmetic with broadcasting, and powers."""

from __future__ import annotations

from typing import Any

import torch

from scanlet.frontend.lowering.context import Context, Value
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import Binary, Unary


def binary(context: Context, kind: str, a: Any, b: Any) -> Tensor:
    """Emit `kind` on two operands, of which at least one is a float activation."""
    for value in (a, b):
        if not isinstance(value, (torch.Tensor, int, float)):
            context.activation(value)
    return context.emit(Binary(kind), a, b)


def unary(context: Context, kind: str, x: Any) -> Tensor:
    return context.emit(Unary(kind), context.activation(x))


def _times(context: Context, value: Any, factor: float) -> Any:
    if factor == 1:
        return value
    if isinstance(value, (torch.Tensor, int, float)):
        return value * factor
    return binary(context, "mul", value, factor)


@lowers("add.Tensor", "add.Scalar")
def add(context: Context, a: Any, b: Any, alpha: float = 1) -> Tensor:
    # add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
    # add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
    return binary(context, "add", a, _times(context, b, alpha))


@lowers("sub.Tensor", "sub.Scalar", "subtract.Tensor")
def sub(context: Context, a: Any, b: Any, alpha: float = 1) -> Tensor:
    # sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
    # sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
    return binary(context, "sub", a, _times(context, b, alpha))


@lowers("rsub.Tensor", "rsub.Scalar")
def rsub(context: Context, a: Any, b: Any, alpha: float = 1) -> Tensor:
    # rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
    # rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
    return binary(context, "sub", b, _times(context, a, alpha))


@lowers("mul.Tensor", "mul.Scalar", "multiply.Tensor")
def mul(context: Context, a: Any, b: Any) -> Tensor:
    # mul.Tensor(Tensor self, Tensor other) -> Tensor
    # mul.Scalar(Tensor self, Scalar other) -> Tensor
    return binary(context, "mul", a, b)


@lowers("div.Tensor", "div.Scalar", "true_divide.Tensor", "divide.Tensor")
def div(context: Context, a: Any, b: Any) -> Tensor:
    # div.Tensor(Tensor self, Tensor other) -> Tensor
    # div.Scalar(Tensor self, Scalar other) -> Tensor
    return binary(context, "div", a, b)


@lowers("addcmul.default")
def addcmul(context: Context, x: Any, a: Any, b: Any, *, value: float = 1) -> Tensor:
    # addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return binary(context, "add", x, a.double() * b * value)
    return binary(context, "add", x, _times(context, binary(context, "mul", a, b), value))


@lowers("maximum.default", "max.other")
def maximum(context: Context, a: Any, b: Any) -> Tensor:
    # maximum(Tensor self, Tensor other) -> Tensor
    return binary(context, "maximum", a, b)


@lowers("minimum.default", "min.other")
def minimum(context: Context, a: Any, b: Any) -> Tensor:
    # minimum(Tensor self, Tensor other) -> Tensor
    return binary(context, "minimum", a, b)


@lowers("square.default")
def square(context: Context, x: Value) -> Tensor:
    # square(Tensor self) -> Tensor
    return unary(context, "square", x)


@lowers("reciprocal.default")
def reciprocal(context: Context, x: Value) -> Tensor:
    # reciprocal(Tensor self) -> Tensor
    return binary(context, "div", 1.0, x)


@lowers("pow.Tensor_Scalar")
def power(context: Context, x: Value, exponent: float) -> Tensor:
    # pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor
    x = context.activation(x)
    match float(exponent):
        case 1.0:
            return x
        case 2.0:
            return unary(context, "square", x)
        case 3.0:
            return binary(context, "mul", unary(context, "square", x), x)
        case 4.0:
            return unary(context, "square", unary(context, "square", x))
        case 0.5:
            return unary(context, "sqrt", x)
        case -0.5:
            return unary(context, "rsqrt", x)
        case -1.0:
            return binary(context, "div", 1.0, x)
        case -2.0:
            return binary(context, "div", 1.0, unary(context, "square", x))
    raise context.refusal(
        f"a power of {exponent}", hint="the exponents 1, 2, 3, 4, 0.5, -0.5, -1, -2 are supported"
    )


@lowers("pow.Tensor_Tensor")
def power_of_tensor(context: Context, x: Value, exponent: Value) -> Tensor:
    # pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor
    if isinstance(exponent, torch.Tensor) and exponent.numel() == 1:
        return power(context, x, float(exponent))
    raise context.refusal("a power whose exponent is a tensor")
