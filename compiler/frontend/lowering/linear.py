"""Products with constant matrices."""

from __future__ import annotations

import torch

from scanlet.frontend.lowering.context import Context, Value
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import Binary, Linear, Reshape, Transpose

TWO_ACTIVATIONS = "products of two activations (attention) are not supported; use a mixer instead"


@lowers("linear.default")
def linear(context: Context, x: Value, weight: Value, bias: Value | None = None) -> Tensor:
    # linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor
    if not isinstance(weight, torch.Tensor) or not isinstance(bias, (torch.Tensor, type(None))):
        raise context.refusal(
            "the weight of a linear layer is computed by the model", TWO_ACTIVATIONS
        )
    x = context.activation(x)
    if len(x.shape) == 1:
        raise context.refusal("a linear layer without a batch dimension")
    return context.emit(Linear(), x, weight, *([] if bias is None else [bias]))


@lowers("matmul.default", "mm.default", "bmm.default", "mv.default")
def matmul(context: Context, a: Value, b: Value) -> Tensor:
    # matmul(Tensor self, Tensor other) -> Tensor
    # mm(Tensor self, Tensor mat2) -> Tensor
    # bmm(Tensor self, Tensor mat2) -> Tensor
    # mv(Tensor self, Tensor vec) -> Tensor
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        raise context.refusal("a product of two activations", TWO_ACTIVATIONS)
    if isinstance(a, Tensor) and isinstance(b, torch.Tensor):
        a = context.activation(a)
        if len(a.shape) == 1:
            raise context.refusal("a matrix product without a batch dimension")
        if b.ndim == 1:
            y = linear(context, a, _derived(context, b, b.reshape(1, -1)))
            return context.emit(Reshape(a.shape[:-1]), y)
        return linear(context, a, _transposed(context, b))
    if isinstance(a, torch.Tensor) and isinstance(b, Tensor):
        # W x = (x^T W^T)^T, over the last two axes
        b = context.activation(b)
        rank = len(b.shape)
        if rank < 2:
            raise context.refusal("a product of a matrix with a vector that has no batch dimension")
        swap = Transpose((*range(rank - 2), rank - 1, rank - 2))
        y = linear(context, context.emit(swap, b), _as_matrix(context, a))
        return context.emit(swap, y)
    raise context.refusal("a product of constants")


@lowers("addmm.default")
def addmm(
    context: Context,
    bias: Value,
    a: Value,
    b: Value,
    *,
    beta: float = 1,
    alpha: float = 1,
) -> Tensor:
    # addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor
    if isinstance(b, torch.Tensor) and isinstance(bias, torch.Tensor):
        weight = _transposed(context, b)
        if alpha != 1:
            weight = _derived(context, b, weight.double() * alpha)
        if beta != 1:
            bias = _derived(context, bias, bias.double() * beta)
        if bias.ndim == 1 and bias.shape[0] == weight.shape[0]:
            return linear(context, a, weight, bias)
    if alpha != 1 or beta != 1:
        raise context.refusal("addmm with alpha or beta")
    return context.emit(Binary("add"), matmul(context, a, b), bias)


def _transposed(context: Context, b: torch.Tensor) -> torch.Tensor:
    """The (out, in) weight of x @ b, for b (in, out) with leading dimensions of 1."""
    matrix = _as_matrix(context, b)
    return _derived(context, b, matrix.t())


def _as_matrix(context: Context, b: torch.Tensor) -> torch.Tensor:
    if b.ndim < 2 or any(n != 1 for n in b.shape[:-2]):
        raise context.refusal(f"a product with a constant of shape {tuple(b.shape)}")
    return _derived(context, b, b.reshape(b.shape[-2:])) if b.ndim > 2 else b


def _derived(context: Context, origin: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """Give `tensor` the name of the parameter that it was made from."""
    path = context.path_of(origin)
    if path is not None:
        context.learn_path(tensor, path)
    return tensor
