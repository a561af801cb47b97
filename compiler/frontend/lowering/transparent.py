"""Operators that change nothing at inference, or only ask about shapes."""

from __future__ import annotations

from typing import Any

import torch

from scanlet.errors import InvalidModelError
from scanlet.frontend.lowering.context import Context, Value
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor


@lowers(
    "alias.default",
    "clone.default",
    "contiguous.default",
    "detach.default",
    "detach_copy.default",
    "lift_fresh_copy.default",
    "resolve_conj.default",
    "resolve_neg.default",
    "positive.default",
)
def identity(context: Context, x: Value, *, memory_format: object = None) -> Value:
    # alias(Tensor self) -> Tensor
    # clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor
    # contiguous(Tensor self, *, MemoryFormat memory_format=contiguous_format) -> Tensor
    # detach(Tensor self) -> Tensor
    del context, memory_format
    return x


@lowers(
    "to.dtype",
    "to.dtype_layout",
    "to.device",
    "to.other",
    "_to_copy.default",
    "type_as.default",
)
def convert(context: Context, x: Any, *others: Any, **named: Any) -> Value:
    # to.dtype(Tensor self, ScalarType dtype, bool non_blocking=False, bool copy=False, ...)
    # to.dtype_layout(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, ...) -> Tensor
    # to.device(Tensor self, Device device, ScalarType dtype, ...) -> Tensor
    # _to_copy(Tensor self, *, ScalarType? dtype=None, ...) -> Tensor
    if not isinstance(x, Tensor):  # a constant converted to the type of an activation
        return x
    dtype = named.get("dtype")
    for value in others:
        if isinstance(value, torch.dtype):
            dtype = value
    integers = (torch.int32, torch.int64)
    fits = x.dtype == "int32" if dtype in integers else x.dtype == "float32"
    if dtype is None or (fits and dtype in (torch.float32, *integers)):
        return x
    raise context.refusal(
        f"a conversion from {x.dtype} to {dtype}",
        hint="activations are float32 on the device, tokens are int32",
    )


@lowers("dropout.default", "feature_dropout.default", "alpha_dropout.default")
def dropout(context: Context, x: Value, p: float, train: bool) -> Value:
    # dropout(Tensor input, float p, bool train) -> Tensor
    if train and p > 0:
        raise InvalidModelError(
            f"dropout in training mode (at {context.origin.describe()})",
            where=context.origin.module or "the model itself",
            hint="call model.eval() before exporting, and use nn.Dropout or training=self.training",
        )
    return x


@lowers("sym_size.int", "size.int")
def size(context: Context, x: Any, dim: int) -> int:
    # sym_size.int(Tensor self, int dim) -> SymInt
    del context
    return x.shape[dim]


@lowers("zeros_like.default", "ones_like.default", "full_like.default", "empty_like.default")
def constant_like(context: Context, x: Any, value: float = 0.0, **_: Any) -> torch.Tensor:
    # zeros_like(Tensor self, *, ScalarType? dtype=None, ...) -> Tensor
    # full_like(Tensor self, Scalar fill_value, *, ...) -> Tensor
    filled = 1.0 if context.operator.startswith("aten.ones") else value
    return torch.full(x.shape, filled, dtype=torch.float64)


@lowers("new_zeros.default", "new_ones.default", "new_full.default")
def new_constant(context: Context, x: Any, size: Any, value: float = 0.0, **_: Any) -> torch.Tensor:
    # new_zeros(Tensor self, SymInt[] size, *, ScalarType? dtype=None, ...) -> Tensor
    # new_full(Tensor self, SymInt[] size, Scalar fill_value, *, ...) -> Tensor
    del x
    filled = 1.0 if context.operator.startswith("aten.new_ones") else value
    return torch.full(tuple(size), filled, dtype=torch.float64)
