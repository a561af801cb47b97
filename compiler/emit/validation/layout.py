"""Rules of operators that move data: RESHAPE, TRANSPOSE, CONCATENATION, PAD, GATHER and slices."""

from __future__ import annotations

import math

import numpy as np

from scanlet.emit.validation.node import Node

MAX_CONCATENATED = 10
#: Of the kernels that extend shapes to four axes.
MAX_RANK = 4
#: Of TFLM's TRANSPOSE.
MAX_TRANSPOSED_RANK = 6


def reshape(node: Node) -> None:
    """The same elements; the shape is a constant and an option, both that of the output."""
    node.need_inputs(2)
    shape = node.output.shape
    node.need(math.prod(node.x.shape) == math.prod(shape), f"makes {shape} of {node.x.shape}")
    node.need_output(shape, node.x.dtype)
    wanted = node.integers(1, (len(shape),))
    node.need(tuple(wanted.tolist()) == shape, f"is told the shape {wanted.tolist()}, not {shape}")
    node.need(node.op.options["new_shape"] == list(shape), "has another shape as an option")


def transpose(node: Node) -> None:
    """The axes in another order."""
    node.need_inputs(2)
    rank = len(node.x.shape)
    node.need(1 <= rank <= MAX_TRANSPOSED_RANK, f"reads rank {rank}")
    order = node.integers(1, (rank,)).tolist()
    node.need(sorted(order) == list(range(rank)), f"orders the axes {order}")
    node.need_output([node.x.shape[axis] for axis in order], node.x.dtype)


def strided_slice(node: Node) -> None:
    """Resolved bounds, positive strides, no masks."""
    node.need_inputs(4)
    shape = node.x.shape
    _check_rank(node)
    begin, end, strides = (node.integers(i, (len(shape),)).tolist() for i in (1, 2, 3))
    node.need(not any(node.op.options.values()), "has a mask")
    lengths = []
    for b, e, s, n in zip(begin, end, strides, shape, strict=True):
        node.need(0 <= b < e <= n and s >= 1, f"takes {b}:{e}:{s} of {n}")
        lengths.append(len(range(b, e, s)))
    node.need_output(lengths, node.x.dtype)


def concatenation(node: Node) -> None:
    """At most ten tensors that agree but for one axis."""
    node.need_inputs(1, MAX_CONCATENATED)
    rank, axis = len(node.x.shape), node.op.options["axis"]
    node.need(-rank <= axis < rank and rank <= MAX_RANK, f"joins axis {axis} of rank {rank}")
    node.need(node.op.options["fused_activation_function"] == 0, "has a fused activation")
    shape = list(node.x.shape)
    shape[axis] = 0
    for position in range(len(node.inputs)):
        part = node.tensor(position)
        others = [n for i, n in enumerate(part.shape) if i != axis % rank]
        same = [n for i, n in enumerate(shape) if i != axis % rank]
        fits = len(part.shape) == rank and others == same and part.dtype == node.x.dtype
        node.need(fits, f"joins {part.dtype} {part.shape} to {node.x.dtype} {node.x.shape}")
        shape[axis] += part.shape[axis]
    node.need_output(shape, node.x.dtype)


def pad(node: Node) -> None:
    """(before, after) an axis, never negative."""
    node.need_inputs(2)
    _check_rank(node)
    pairs = node.integers(1, (len(node.x.shape), 2)).tolist()
    node.need(min(map(min, pairs)) >= 0, f"pads by {pairs}")
    shape = [n + sum(pair) for n, pair in zip(node.x.shape, pairs, strict=True)]
    node.need_output(shape, node.x.dtype)


def gather(node: Node) -> None:
    """Rows of a table by int32 indices; see `indices` for their range."""
    node.need_inputs(2)
    table, rows = node.tensor(0), node.tensor(1)
    rank, axis = len(table.shape), node.op.options["axis"]
    node.need(-rank <= axis < rank, f"gathers along axis {axis} of rank {rank}")
    node.need(node.op.options["batch_dims"] == 0, "has batch dimensions")
    node.need(rows.dtype == "int32", f"is indexed by {rows.dtype}")
    at = axis % rank
    node.need_output((*table.shape[:at], *rows.shape, *table.shape[at + 1 :]), table.dtype)
    if rows.constant:
        values: np.ndarray = rows.array()
        inside = values.min() >= 0 and values.max() < table.shape[at]
        node.need(inside, f"gathers {values.min()} to {values.max()} of {table.shape[at]} rows")


def _check_rank(node: Node) -> None:
    rank = len(node.x.shape)
    node.need(1 <= rank <= MAX_RANK, f"reads rank {rank}, {MAX_RANK} at most")
