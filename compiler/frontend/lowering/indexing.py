"""Parts of a tensor: slices, single steps, splits, lookups, reversal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from scanlet.frontend.lowering.context import Context, Value, axis_of
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import Flip, Gather, Reshape, StridedSlice


def narrow(context: Context, x: Tensor, axis: int, begin: int, end: int, step: int = 1) -> Tensor:
    """x[begin:end:step] on one axis; no node where that is all of it."""
    if (begin, end, step) == (0, x.shape[axis], 1):
        return x
    if end <= begin:
        raise context.refusal("an empty slice")
    begins, ends, steps = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)
    begins[axis], ends[axis], steps[axis] = begin, end, step
    return context.emit(StridedSlice(tuple(begins), tuple(ends), tuple(steps)), x)


@lowers("slice.Tensor")
def slice_(
    context: Context,
    x: Any,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    # slice.Tensor(Tensor self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1)
    #   -> Tensor
    axis = axis_of(dim, len(x.shape))
    last = None if end is None or end >= sys.maxsize else end
    begin, stop, step = slice(start, last, step).indices(x.shape[axis])
    return narrow(context, x, axis, begin, stop, step)


@lowers("narrow.default")
def narrow_(context: Context, x: Any, dim: int, start: int, length: int) -> Tensor:
    # narrow(Tensor self, int dim, SymInt start, SymInt length) -> Tensor
    axis = axis_of(dim, len(x.shape))
    begin = axis_of(start, x.shape[axis])
    return narrow(context, x, axis, begin, begin + length)


@lowers("select.int")
def select(context: Context, x: Any, dim: int, index: int) -> Tensor:
    # select.int(Tensor self, int dim, SymInt index) -> Tensor
    axis = axis_of(dim, len(x.shape))
    at = axis_of(index, x.shape[axis])
    part = narrow(context, x, axis, at, at + 1)
    return context.emit(Reshape((*x.shape[:axis], *x.shape[axis + 1 :])), part)


@lowers("split.Tensor", "split.default")
def split(context: Context, x: Any, split_size: int, dim: int = 0) -> list[Tensor]:
    # split.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]
    if not isinstance(split_size, int):
        return split_with_sizes(context, x, split_size, dim)
    size = x.shape[axis_of(dim, len(x.shape))]
    sizes = [min(split_size, size - begin) for begin in range(0, size, split_size)]
    return split_with_sizes(context, x, sizes, dim)


@lowers("split_with_sizes.default", "split.sizes")
def split_with_sizes(
    context: Context, x: Any, split_sizes: Sequence[int], dim: int = 0
) -> list[Tensor]:
    # split_with_sizes(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]
    axis = axis_of(dim, len(x.shape))
    ends = np.cumsum(split_sizes).tolist()
    return [
        narrow(context, x, axis, end - size, end)
        for end, size in zip(ends, split_sizes, strict=True)
    ]


@lowers("chunk.default")
def chunk(context: Context, x: Any, chunks: int, dim: int = 0) -> list[Tensor]:
    # chunk(Tensor self, int chunks, int dim=0) -> Tensor[]
    size = x.shape[axis_of(dim, len(x.shape))]
    return split(context, x, -(-size // chunks), dim)


@lowers("tensor_split.sections")
def tensor_split(context: Context, x: Any, sections: int, dim: int = 0) -> list[Tensor]:
    # tensor_split.sections(Tensor self, SymInt sections, int dim=0) -> Tensor[]
    size = x.shape[axis_of(dim, len(x.shape))]
    each, more = divmod(size, sections)
    sizes = [each + (part < more) for part in range(sections)]
    return split_with_sizes(context, x, sizes, dim)


@lowers("unbind.int")
def unbind(context: Context, x: Any, dim: int = 0) -> list[Tensor]:
    # unbind.int(Tensor self, int dim=0) -> Tensor[]
    axis = axis_of(dim, len(x.shape))
    return [select(context, x, axis, index) for index in range(x.shape[axis])]


@lowers("index_select.default")
def index_select(context: Context, x: Any, dim: int, index: Value) -> Tensor:
    # index_select(Tensor self, int dim, Tensor index) -> Tensor
    return _index(context, x, axis_of(dim, len(x.shape)), index)


@lowers("index.Tensor")
def index(context: Context, x: Any, indices: Sequence[Any]) -> Tensor:
    # index.Tensor(Tensor self, Tensor?[] indices) -> Tensor
    used = [axis for axis, value in enumerate(indices) if value is not None]
    if len(used) != 1:
        raise context.refusal("an index on several axes at once")
    return _index(context, x, used[0], indices[used[0]])


def _index(context: Context, x: Any, axis: int, chosen: Any) -> Tensor:
    if isinstance(chosen, torch.Tensor):
        if chosen.dtype == torch.bool:
            chosen = torch.nonzero(chosen).reshape(-1)
        at = chosen.detach().cpu().numpy().astype(np.int32)
        at = np.where(at < 0, at + x.shape[axis], at).astype(np.int32)
        if at.ndim not in (1, 2):
            raise context.refusal(f"an index of {at.ndim} dimensions")
        if at.ndim == 1 and at.size and np.array_equal(at, np.arange(at[0], at[0] + at.size)):
            return narrow(context, x, axis, int(at[0]), int(at[0]) + at.size)
        return context.emit(Gather(axis), x, context.array(at, "indices"))
    if axis != 0:
        raise context.refusal("a computed index")
    return embedding(context, x, chosen)


@lowers("embedding.default")
def embedding(
    context: Context,
    weight: Value,
    indices: Value,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    # embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1,
    #   bool scale_grad_by_freq=False, bool sparse=False) -> Tensor
    del padding_idx, scale_grad_by_freq, sparse
    if not isinstance(weight, torch.Tensor):
        raise context.refusal("a lookup in a table that the model computes")
    if not isinstance(indices, Tensor) or indices.dtype != "int32":
        raise context.refusal("a lookup with indices that are not an integer input")
    if len(indices.shape) > 2:
        raise context.refusal(f"a lookup with indices of {len(indices.shape)} dimensions")
    return context.emit(Gather(0), weight, indices)


@lowers("flip.default")
def flip(context: Context, x: Value, dims: Sequence[int]) -> Tensor:
    # flip(Tensor self, int[] dims) -> Tensor
    y = context.activation(x)
    for dim in dims:
        # Of an axis of one element, too: a stream's chunk of one step runs backwards as well.
        y = context.emit(Flip(axis_of(dim, len(y.shape))), y)
    return y
