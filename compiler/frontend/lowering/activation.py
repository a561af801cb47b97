"""Activation functions: those of the graph as they are, the others by exact identities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scanlet.frontend.lowering.arithmetic import binary, unary
from scanlet.frontend.lowering.context import Context, Value, axis_of
from scanlet.frontend.lowering.indexing import narrow
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor

#: f(Tensor self) -> Tensor, each a unary operator of the graph.
_PLAIN = {
    "relu.default": "relu",
    "relu6.default": "relu6",
    "silu.default": "silu",
    "tanh.default": "tanh",
    "sigmoid.default": "sigmoid",
    "exp.default": "exp",
    "log.default": "log",
    "neg.default": "neg",
    "abs.default": "abs",
    "sqrt.default": "sqrt",
    "rsqrt.default": "rsqrt",
}


def _plain(kind: str) -> Callable[[Context, Value], Tensor]:
    def handler(context: Context, x: Value) -> Tensor:
        return unary(context, kind, x)

    return handler


for _overload, _kind in _PLAIN.items():
    lowers(_overload)(_plain(_kind))


@lowers("gelu.default")
def gelu(context: Context, x: Value, *, approximate: str = "none") -> Tensor:
    # gelu(Tensor self, *, str approximate='none') -> Tensor
    return unary(context, "gelu" if approximate == "none" else "gelu_tanh", x)


@lowers("clamp.default", "clip.default", "hardtanh.default")
def clamp(
    context: Context, x: Value, low: float | None = None, high: float | None = None
) -> Tensor:
    # clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor
    # hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor
    y = context.activation(x)
    if context.operator.startswith("aten.hardtanh"):
        low, high = (-1 if low is None else low), (1 if high is None else high)
    if low == 0 and high == 6:
        return unary(context, "relu6", y)
    if low is not None:
        y = unary(context, "relu", y) if low == 0 else binary(context, "maximum", y, low)
    return y if high is None else binary(context, "minimum", y, high)


@lowers("clamp_min.default")
def clamp_min(context: Context, x: Value, low: float) -> Tensor:
    # clamp_min(Tensor self, Scalar min) -> Tensor
    return clamp(context, x, low)


@lowers("clamp_max.default")
def clamp_max(context: Context, x: Value, high: float) -> Tensor:
    # clamp_max(Tensor self, Scalar max) -> Tensor
    return clamp(context, x, None, high)


@lowers("softplus.default")
def softplus(context: Context, x: Value, beta: float = 1, threshold: float = 20) -> Tensor:
    # softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor
    # relu(x) + log(1 + exp(-|x|)), which does not overflow. PyTorch returns x above the threshold;
    # at the usual 20 that is the same to 2e-9.
    if threshold < 15:
        raise context.refusal(f"a softplus that turns linear at {threshold}")
    scaled = context.activation(x) if beta == 1 else binary(context, "mul", x, beta)
    small = unary(context, "exp", unary(context, "neg", unary(context, "abs", scaled)))
    tail = unary(context, "log", binary(context, "add", small, 1.0))
    y = binary(context, "add", unary(context, "relu", scaled), tail)
    return y if beta == 1 else binary(context, "mul", y, 1 / beta)


@lowers("log_sigmoid.default")
def log_sigmoid(context: Context, x: Value) -> Tensor:
    # log_sigmoid(Tensor self) -> Tensor
    return unary(context, "neg", softplus(context, unary(context, "neg", x)))


@lowers("mish.default")
def mish(context: Context, x: Value) -> Tensor:
    # mish(Tensor self) -> Tensor
    return binary(context, "mul", x, unary(context, "tanh", softplus(context, x)))


@lowers("hardsigmoid.default")
def hardsigmoid(context: Context, x: Value) -> Tensor:
    # hardsigmoid(Tensor self) -> Tensor
    shifted = unary(context, "relu6", binary(context, "add", context.activation(x), 3.0))
    return binary(context, "mul", shifted, 1 / 6)


@lowers("hardswish.default")
def hardswish(context: Context, x: Value) -> Tensor:
    # hardswish(Tensor self) -> Tensor
    return binary(context, "mul", x, hardsigmoid(context, x))


@lowers("leaky_relu.default")
def leaky_relu(context: Context, x: Value, negative_slope: float = 0.01) -> Tensor:
    # leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor
    if not 0 <= negative_slope <= 1:
        raise context.refusal(f"a leaky ReLU of slope {negative_slope}")
    return binary(context, "maximum", x, binary(context, "mul", x, negative_slope))


@lowers("prelu.default")
def prelu(context: Context, x: Value, weight: Value) -> Tensor:
    # prelu(Tensor self, Tensor weight) -> Tensor
    x = context.activation(x)
    slope = context.fixed(weight, "the slope of a PReLU")
    if slope.size > 1:  # one a channel, on axis 1
        slope = slope.reshape(-1, *(1,) * (len(x.shape) - 2))
    below = binary(context, "minimum", x, 0.0)
    scaled = binary(context, "mul", below, torch.from_numpy(slope))
    return binary(context, "add", unary(context, "relu", x), scaled)


@lowers("elu.default")
def elu(
    context: Context, x: Value, alpha: float = 1, scale: float = 1, input_scale: float = 1
) -> Tensor:
    # elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor
    if input_scale != 1:
        raise context.refusal("an ELU with a scaled input")
    below = unary(context, "exp", binary(context, "minimum", x, 0.0))
    below = binary(context, "sub", below, 1.0)
    below = below if alpha == 1 else binary(context, "mul", below, alpha)
    y = binary(context, "add", unary(context, "relu", x), below)
    return y if scale == 1 else binary(context, "mul", y, scale)


@lowers("selu.default")
def selu(context: Context, x: Value) -> Tensor:
    # selu(Tensor self) -> Tensor; constants of Klambauer et al. 2017
    return elu(context, x, 1.6732632423543772, 1.0507009873554805)


@lowers("softsign.default")
def softsign(context: Context, x: Value) -> Tensor:
    # softsign(Tensor self) -> Tensor
    return binary(context, "div", x, binary(context, "add", unary(context, "abs", x), 1.0))


@lowers("glu.default")
def glu(context: Context, x: Any, dim: int = -1) -> Tensor:
    # glu(Tensor self, int dim=-1) -> Tensor
    x = context.activation(x)
    axis = axis_of(dim, len(x.shape))
    half = x.shape[axis] // 2
    a, b = narrow(context, x, axis, 0, half), narrow(context, x, axis, half, 2 * half)
    return binary(context, "mul", a, unary(context, "sigmoid", b))
