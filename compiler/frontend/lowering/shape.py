"""Other shapes, other orders of axes, joined tensors, padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from scanlet.frontend.lowering.arithmetic import binary
from scanlet.frontend.lowering.context import Context, Value, axis_of
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import Concatenate, Pad, Reshape, Transpose


def reshaped(context: Context, x: Tensor, shape: Sequence[int]) -> Tensor:
    """The same elements in `shape`; no node where the shape stays."""
    target = tuple(int(n) for n in shape)
    return x if target == x.shape else context.emit(Reshape(target), x)


def permuted(context: Context, x: Tensor, perm: Sequence[int]) -> Tensor:
    order = tuple(axis_of(int(axis), len(x.shape)) for axis in perm)
    return x if order == tuple(range(len(order))) else context.emit(Transpose(order), x)


@lowers("view.default", "reshape.default", "_unsafe_view.default", "view_copy.default")
def view(context: Context, x: Any, size: Sequence[int]) -> Tensor:
    # view(Tensor self, SymInt[] size) -> Tensor
    # reshape(Tensor self, SymInt[] shape) -> Tensor
    sizes = [int(n) for n in size]
    if -1 in sizes:
        known = int(np.prod([n for n in sizes if n != -1], dtype=np.int64))
        sizes[sizes.index(-1)] = x.size // max(known, 1)
    return reshaped(context, x, sizes)


@lowers("view_as.default", "reshape_as.default")
def view_as(context: Context, x: Any, other: Any) -> Tensor:
    # view_as(Tensor self, Tensor other) -> Tensor
    return reshaped(context, x, other.shape)


@lowers("flatten.using_ints")
def flatten(context: Context, x: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    # flatten.using_ints(Tensor self, int start_dim=0, int end_dim=-1) -> Tensor
    rank = len(x.shape)
    first, last = axis_of(start_dim, rank), axis_of(end_dim, rank)
    merged = int(np.prod(x.shape[first : last + 1], dtype=np.int64))
    return reshaped(context, x, (*x.shape[:first], merged, *x.shape[last + 1 :]))


@lowers("unflatten.int")
def unflatten(context: Context, x: Any, dim: int, sizes: Sequence[int]) -> Tensor:
    # unflatten.int(Tensor self, int dim, SymInt[] sizes) -> Tensor
    axis = axis_of(dim, len(x.shape))
    parts = [int(n) for n in sizes]
    if -1 in parts:
        known = int(np.prod([n for n in parts if n != -1], dtype=np.int64))
        parts[parts.index(-1)] = x.shape[axis] // max(known, 1)
    return reshaped(context, x, (*x.shape[:axis], *parts, *x.shape[axis + 1 :]))


@lowers("squeeze.default", "squeeze.dim", "squeeze.dims")
def squeeze(context: Context, x: Any, dim: int | Sequence[int] | None = None) -> Tensor:
    # squeeze(Tensor self) -> Tensor
    # squeeze.dim(Tensor self, int dim) -> Tensor
    # squeeze.dims(Tensor self, int[] dim) -> Tensor
    rank = len(x.shape)
    listed = range(rank) if dim is None else [dim] if isinstance(dim, int) else dim
    dropped = {axis_of(axis, rank) for axis in listed}
    return reshaped(
        context, x, [n for axis, n in enumerate(x.shape) if n != 1 or axis not in dropped]
    )


@lowers("unsqueeze.default")
def unsqueeze(context: Context, x: Any, dim: int) -> Tensor:
    # unsqueeze(Tensor self, int dim) -> Tensor
    axis = axis_of(dim, len(x.shape) + 1)
    return reshaped(context, x, (*x.shape[:axis], 1, *x.shape[axis:]))


@lowers("expand.default", "broadcast_to.default")
def expand(context: Context, x: Any, size: Sequence[int], *, implicit: bool = False) -> Tensor:
    # expand(Tensor self, SymInt[] size, *, bool implicit=False) -> Tensor
    del implicit
    aligned = (1,) * (len(size) - len(x.shape)) + x.shape
    full = [n if wanted == -1 else int(wanted) for n, wanted in zip(aligned, size, strict=True)]
    y = reshaped(context, x, aligned)
    grown = [wanted if n != wanted else 1 for n, wanted in zip(aligned, full, strict=True)]
    if all(n == 1 for n in grown):
        return y
    return binary(context, "mul", y, torch.ones(grown))


@lowers("expand_as.default")
def expand_as(context: Context, x: Any, other: Any) -> Tensor:
    # expand_as(Tensor self, Tensor other) -> Tensor
    return expand(context, x, other.shape)


@lowers("repeat.default", "tile.default")
def repeat(context: Context, x: Any, repeats: Sequence[int]) -> Tensor:
    # repeat(Tensor self, SymInt[] repeats) -> Tensor
    rank = max(len(repeats), len(x.shape))
    counts = (1,) * (rank - len(repeats)) + tuple(repeats)
    y = reshaped(context, x, (1,) * (rank - len(x.shape)) + x.shape)
    for axis, count in enumerate(counts):
        if count > 1:
            y = context.emit(Concatenate(axis), *[y] * int(count))
    return y


@lowers("permute.default")
def permute(context: Context, x: Any, dims: Sequence[int]) -> Tensor:
    # permute(Tensor self, int[] dims) -> Tensor
    return permuted(context, x, dims)


@lowers("transpose.int", "swapaxes.default", "swapdims.default")
def transpose(context: Context, x: Any, dim0: int, dim1: int) -> Tensor:
    # transpose.int(Tensor self, int dim0, int dim1) -> Tensor
    order = list(range(len(x.shape)))
    a, b = axis_of(dim0, len(order)), axis_of(dim1, len(order))
    order[a], order[b] = order[b], order[a]
    return permuted(context, x, order)


@lowers("mT.default", "adjoint.default", "matrix_H.default")
def matrix_transpose(context: Context, x: Any) -> Tensor:
    # mT(Tensor self) -> Tensor
    return transpose(context, x, -2, -1)


@lowers("t.default", "numpy_T.default")
def reverse_axes(context: Context, x: Any) -> Tensor:
    # t(Tensor self) -> Tensor
    # numpy_T(Tensor self) -> Tensor
    return permuted(context, x, range(len(x.shape) - 1, -1, -1))


@lowers("movedim.int", "movedim.intlist", "moveaxis.int", "moveaxis.intlist")
def movedim(
    context: Context, x: Any, source: int | Sequence[int], destination: int | Sequence[int]
) -> Tensor:
    # movedim.int(Tensor self, int source, int destination) -> Tensor
    # movedim.intlist(Tensor self, int[] source, int[] destination) -> Tensor
    rank = len(x.shape)
    sources = [source] if isinstance(source, int) else list(source)
    targets = [destination] if isinstance(destination, int) else list(destination)
    moved = {axis_of(to, rank): axis_of(at, rank) for at, to in zip(sources, targets, strict=True)}
    others = iter(axis for axis in range(rank) if axis not in moved.values())
    return permuted(context, x, [moved[a] if a in moved else next(others) for a in range(rank)])


@lowers("cat.default", "concat.default", "concatenate.default")
def cat(context: Context, tensors: Sequence[Value], dim: int = 0) -> Tensor:
    # cat(Tensor[] tensors, int dim=0) -> Tensor
    for value in tensors:
        if not isinstance(value, torch.Tensor):
            context.activation(value)
    if len(tensors) == 1:
        return context.tensor(tensors[0])
    return context.emit(Concatenate(axis_of(dim, len(tensors[0].shape))), *tensors)


@lowers("stack.default")
def stack(context: Context, tensors: Sequence[Value], dim: int = 0) -> Tensor:
    # stack(Tensor[] tensors, int dim=0) -> Tensor
    rank = len(tensors[0].shape) + 1
    axis = axis_of(dim, rank)
    grown = [
        value.unsqueeze(axis)
        if isinstance(value, torch.Tensor)
        else unsqueeze(context, value, axis)
        for value in tensors
    ]
    return cat(context, grown, axis)


@lowers("pad.default", "constant_pad_nd.default")
def pad(
    context: Context, x: Value, pad: Sequence[int], mode: Any = "constant", value: Any = None
) -> Tensor:
    # pad(Tensor self, SymInt[] pad, str mode="constant", float? value=None) -> Tensor
    # constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor
    if not isinstance(mode, str):
        mode, value = "constant", mode
    if mode != "constant" or value:
        raise context.refusal(
            f"padding with {mode if mode != 'constant' else value}", hint="pad with zeros"
        )
    x = context.activation(x)
    sides = [(0, 0)] * len(x.shape)
    for place in range(len(pad) // 2):
        sides[-1 - place] = (int(pad[2 * place]), int(pad[2 * place + 1]))
    begin = tuple(max(-before, 0) for before, _ in sides)
    end = tuple(n - max(-after, 0) for n, (_, after) in zip(x.shape, sides, strict=True))
    if any(begin) or end != x.shape:
        raise context.refusal("a negative padding", hint="slice the tensor instead")
    return context.emit(Pad(tuple(sides)), x) if any(map(any, sides)) else x
