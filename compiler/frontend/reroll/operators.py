"""What each ATen operator does to expressions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, fx

from scanlet.frontend.reroll import expression
from scanlet.frontend.reroll.terms import (
    ZERO,
    ConvAtom,
    Leaf,
    LinearAtom,
    NotExpressibleError,
    Poly,
)


class Values(Protocol):
    """What handlers ask the evaluator for."""

    env: Any

    def __call__(self, value: Any) -> Poly: ...

    def constant(self, node: Any) -> Any: ...


Handler = Callable[[Values, fx.Node], Poly]

#: Operators that move elements and compute nothing; True: several results.
# fmt: off
MOVES = (
    "view", "reshape", "_unsafe_view", "permute", "transpose", "t", "unsqueeze", "squeeze",
    "expand", "select", "slice", "narrow", "flip", "repeat", "flatten", "unflatten", "movedim",
    "moveaxis", "swapaxes", "swapdims", "tile", "broadcast_to", "select_copy", "slice_copy",
    "view_copy", "permute_copy", "unsqueeze_copy", "squeeze_copy", "expand_copy",
    "transpose_copy", "unfold",
)
PARTINGS = (
    "split", "split_with_sizes", "chunk", "unbind", "tensor_split", "unbind_copy",
)
# fmt: on
LAYOUTS: dict[str, bool] = {**dict.fromkeys(MOVES, False), **dict.fromkeys(PARTINGS, True)}

#: Operators that change nothing at inference.
# fmt: off
SAME = frozenset({
    "clone", "contiguous", "alias", "detach", "to", "_to_copy", "type_as", "lift_fresh",
    "lift_fresh_copy", "dropout", "feature_dropout", "positive", "float",
})

UNARY = frozenset({
    "exp", "silu", "softplus", "sigmoid", "tanh", "relu", "gelu", "log", "log1p", "sqrt", "rsqrt",
    "abs", "sin", "cos", "erf", "elu", "hardtanh", "square", "reciprocal",
})
# fmt: on

HANDLERS: dict[str, Handler] = {}


def short_name(node: fx.Node) -> str:
    """ "mul" for torch.ops.aten.mul.Tensor."""
    target = str(node.target)
    return target.split(".")[1] if target.startswith("aten.") else target


def evaluates(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


@evaluates(*UNARY)
def unary(values: Values, node: fx.Node) -> Poly:
    # softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor
    name, options = short_name(node), (*node.args[1:], *node.kwargs.values())
    if options and (name != "softplus" or options[0] != 1):
        raise NotExpressibleError
    return expression.apply(name, values(node.args[0]))


@evaluates("neg")
def negate(values: Values, node: fx.Node) -> Poly:
    return expression.scale(values(node.args[0]), -1.0)


@evaluates("mul", "multiply")
def multiply(values: Values, node: fx.Node) -> Poly:
    return expression.multiply(values(node.args[0]), values(node.args[1]))


@evaluates("div", "divide", "true_divide")
def divide(values: Values, node: fx.Node) -> Poly:
    divisor = values.constant(node.args[1])
    if divisor is None or node.kwargs:
        raise NotExpressibleError
    inverse = expression.of_constant(1.0 / divisor)
    return expression.multiply(values(node.args[0]), inverse)


@evaluates("add", "sub", "rsub", "subtract")
def add(values: Values, node: fx.Node) -> Poly:
    # add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
    a, b = values(node.args[0]), values(node.args[1])
    alpha = float(node.kwargs.get("alpha", 1.0))  # type: ignore[arg-type]
    name = short_name(node)
    if name == "rsub":
        a, b = b, a
    return expression.add(a, b, alpha if name == "add" else -alpha)


@evaluates("addcmul")
def addcmul(values: Values, node: fx.Node) -> Poly:
    # addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor
    product = expression.multiply(values(node.args[1]), values(node.args[2]))
    value = float(node.kwargs.get("value", 1.0))  # type: ignore[arg-type]
    return expression.add(values(node.args[0]), product, value)


@evaluates("sum")
def reduce_sum(values: Values, node: fx.Node) -> Poly:
    # sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ...) -> Tensor
    x = values(node.args[0])
    axes: Any = node.args[1] if len(node.args) > 1 else None
    if axes is None:
        axes = list(range(len(x.shape)))
    keepdim = bool(node.args[2]) if len(node.args) > 2 else bool(node.kwargs.get("keepdim", False))
    return expression.contract(x, [axes] if isinstance(axes, int) else list(axes), keepdim)


@evaluates("pad", "constant_pad_nd")
def pad(values: Values, node: fx.Node) -> Poly:
    # pad(Tensor self, SymInt[] pad, str mode="constant", float? value=None) -> Tensor
    x, amounts = values(node.args[0]), list(node.args[1])  # type: ignore[arg-type]
    rest = (*node.args[2:], *node.kwargs.values())
    if any(value not in ("constant", None, 0) for value in rest):
        raise NotExpressibleError
    return padded(x, amounts)


def padded(x: Poly, amounts: Sequence[int]) -> Poly:
    term = x.single
    if (
        term is None
        or isinstance(term.coef, Tensor)
        or not all(isinstance(factor, Leaf) for factor in term.factors)
        or not term.factors
    ):
        raise NotExpressibleError
    fill = torch.nn.functional.pad
    return expression.relayout(x, lambda index: fill(index, list(amounts), value=ZERO))


# -- products with matrices ----------------------------------------------------------------------
@evaluates("linear")
def linear(values: Values, node: fx.Node) -> Poly:
    # linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor
    weight = values.constant(node.args[1])
    bias = values.constant(node.args[2]) if len(node.args) > 2 else None
    lost = len(node.args) > 2 and node.args[2] is not None and bias is None
    if not isinstance(weight, Tensor) or lost:
        raise NotExpressibleError
    return rows_times(values(node.args[0]), weight, bias, node)


def rows_times(x: Poly, weight: Tensor, bias: Tensor | None, node: fx.Node) -> Poly:
    """x (..., in) times weight (out, in) as elements of a linear layer."""
    leading = x.shape[:-1]
    rows = math.prod(leading)
    if not x.terms:
        raise NotExpressibleError
    source = expression.relayout(x, lambda array: array.reshape(rows, x.shape[-1]))
    out = weight.shape[0]
    atom = LinearAtom(
        (rows, out),
        node,
        expression.has_state(x),
        source=source,
        weight=weight,
        bias=bias,
    )
    return expression.relayout(expression.of_atom(atom), lambda i: i.reshape(*leading, out))


@evaluates("addmm")
def addmm(values: Values, node: fx.Node) -> Poly:
    # addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor
    bias, matrix = values.constant(node.args[0]), values.constant(node.args[2])
    if bias is None or matrix is None or node.kwargs or bias.ndim != 1:
        raise NotExpressibleError
    return rows_times(values(node.args[1]), matrix.t(), bias, node)


@evaluates("matmul", "mm", "bmm", "mv")
def matmul(values: Values, node: fx.Node) -> Poly:
    a, b = (values(arg) for arg in node.args[:2])
    left, right = (values.constant(arg) for arg in node.args[:2])
    if right is not None and math.prod(b.shape[:-2]) == 1 and right.ndim > 1:
        y = rows_times(a, right.reshape(right.shape[-2:]).t(), None, node)
        return _shaped(y, values.env[node].shape)
    matrix = left is not None and left.ndim > 1 and math.prod(a.shape[:-2]) == 1
    if matrix and len(b.shape) > 1:
        swapped = expression.relayout(b, lambda x: x.transpose(-1, -2))
        y = rows_times(swapped, left.reshape(left.shape[-2:]), None, node)
        y = expression.relayout(y, lambda x: x.transpose(-1, -2))
        return _shaped(y, values.env[node].shape)
    column = len(b.shape) == 1
    row = len(a.shape) == 1
    a = expression.relayout(a, lambda x: x.unsqueeze(0)) if row else a
    b = expression.relayout(b, lambda x: x.unsqueeze(-1)) if column else b
    _check_size(*a.shape, b.shape[-1])
    a = expression.relayout(a, lambda x: x.unsqueeze(-1))
    b = expression.relayout(b, lambda x: x.unsqueeze(-3))
    y = expression.contract(expression.multiply(a, b), [-2])
    return _shaped(y, values.env[node].shape)


def _shaped(x: Poly, shape: Sequence[int]) -> Poly:
    return expression.relayout(x, lambda array: array.reshape(tuple(shape)))


def _check_size(*sizes: int) -> None:
    if math.prod(sizes) > 1 << 24:
        raise NotExpressibleError


@evaluates("einsum")
def einsum(values: Values, node: fx.Node) -> Poly:
    equation, operands = str(node.args[0]).replace(" ", ""), list(node.args[1])  # type: ignore[arg-type]
    inputs, _, output = equation.partition("->")
    labels = inputs.split(",")
    if "." in equation or "->" not in equation or any(len(set(s)) < len(s) for s in labels):
        raise NotExpressibleError
    polys = [values(operand) for operand in operands]
    sizes = {
        c: n for s, p in zip(labels, polys, strict=True) for c, n in zip(s, p.shape, strict=True)
    }
    summed = [c for c in dict.fromkeys(inputs.replace(",", "")) if c not in output]
    if len(operands) == 2:
        for position in (0, 1):
            weight = values.constant(operands[position])
            other = labels[1 - position]
            if isinstance(weight, Tensor) and weight.ndim == 2 and len(summed) == 1:
                done = _einsum_linear(
                    polys[1 - position], other, weight, labels[position], output, summed[0], node
                )
                if done is not None:
                    return done
    order = output + "".join(summed)
    _check_size(*(sizes[c] for c in order))
    product: Poly | None = None
    for label, poly in zip(labels, polys, strict=True):
        aligned = _aligned(poly, label, order)
        product = aligned if product is None else expression.multiply(product, aligned)
    assert product is not None
    full = expression.spread(product, tuple(sizes[c] for c in order))
    return expression.contract(full, range(len(output), len(order))) if summed else full


def _einsum_linear(
    x: Poly, label: str, weight: Tensor, pair: str, output: str, summed: str, node: fx.Node
) -> Poly | None:
    """x times a constant matrix, where that is what the equation says."""
    free = pair.replace(summed, "")
    if len(free) != 1 or free in label or summed not in label or free not in output:
        return None
    kept = label.replace(summed, "")
    rows = _aligned(x, label, kept + summed)
    y = rows_times(rows, weight if pair == free + summed else weight.t(), None, node)
    return _aligned(y, kept + free, output)


def _aligned(poly: Poly, label: str, order: str) -> Poly:
    """Axes `label` in `order`, with axes of size 1 for those it lacks."""
    present = [label.index(c) for c in order if c in label]
    missing = [i for i, c in enumerate(order) if c not in label]

    def layout(array: Tensor) -> Tensor:
        array = array.permute(present)
        for axis in missing:
            array = array.unsqueeze(axis)
        return array

    return expression.relayout(poly, layout)


# -- convolution ---------------------------------------------------------------------------------
@evaluates("conv1d", "convolution")
def conv1d(values: Values, node: fx.Node) -> Poly:
    # conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1,
    #   SymInt[1] padding=0, SymInt[1] dilation=1, SymInt groups=1) -> Tensor
    # convolution(..., bool transposed, SymInt[] output_padding, SymInt groups) -> Tensor
    args = dict(enumerate(node.args))
    x, weight = values(args[0]), values.constant(args[1])
    bias = values.constant(args.get(2))
    if args.get(2) is not None and bias is None:
        raise NotExpressibleError
    stride, padding, dilation = (_one(args.get(i, d)) for i, d in ((3, 1), (4, 0), (5, 1)))
    if short_name(node) == "convolution":
        if args[6] or any(args[7]):  # type: ignore[arg-type]
            raise NotExpressibleError
        groups = args[8]
    else:
        groups = args.get(6, 1)
    channels = weight.shape[0]
    if len(x.shape) != 3 or x.shape[0] != 1 or stride != 1 or groups != channels:
        raise NotExpressibleError
    if x.shape[1] != channels or weight.shape[1] != 1 or not isinstance(padding, int):
        raise NotExpressibleError
    x = padded(x, [padding, padding]) if padding else x
    source = expression.relayout(x, lambda array: array[0])
    out_time = x.shape[2] - (weight.shape[2] - 1) * dilation
    atom = ConvAtom(
        (channels, out_time),
        node,
        expression.has_state(x),
        source=source,
        weight=weight[:, 0, :],
        bias=bias,
        dilation=dilation,
    )
    return expression.relayout(expression.of_atom(atom), lambda i: i.unsqueeze(0))


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) else value
