"""Where time lies in the tensors of a graph."""

from __future__ import annotations

import itertools
import math

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Gather,
    LayerOperator,
    Pool1d,
    Reduce,
    Reshape,
    StridedSlice,
    Transpose,
)

#: For each tensor (by id) the axis that is time; tensors without a time axis are not in it.
TimeAxes = dict[int, int]


def time_axes(graph: Graph) -> TimeAxes:
    """Where time lies in every tensor.

    Mixers and convolutions have it on axis 1. What that means for the inputs is found by trying:
    (1, L, F) first, then (1, C, L) for inputs of rank 3.
    """
    choices = [_input_choices(tensor) for tensor in graph.inputs]
    first: TimeAxes | None = None
    for choice in itertools.product(*choices):
        axes: TimeAxes = {}
        for tensor, axis in zip(graph.inputs, choice, strict=True):
            if axis is not None:
                axes[id(tensor)] = axis
        fits = _propagate(graph, axes)
        if fits:
            return axes
        first = first if first is not None else axes
    return first if first is not None else {}


def _input_choices(tensor: Tensor) -> list[int | None]:
    if len(tensor.shape) == 3:
        return [1, 2]
    if len(tensor.shape) == 2 and tensor.dtype != "float32":
        return [1]  # tokens
    return [None, 1] if len(tensor.shape) == 2 else [1]


def _propagate(graph: Graph, axes: TimeAxes) -> bool:
    """Fill `axes` for all computed tensors; False if a mixer's time is not on axis 1."""
    fits = True
    for node in graph.nodes:
        x = node.inputs[0]
        if isinstance(node.op, LayerOperator | Conv1d | Pool1d):
            fits &= axes.get(id(x)) == 1
        axis = _time_axis(node, axes)
        if axis is not None:
            axes[id(node.output)] = axis
    return fits


def _time_axis(node: Node, axes: TimeAxes) -> int | None:
    op, x, rank = node.op, node.inputs[0], len(node.output.shape)
    axis = axes.get(id(x))
    match op:
        case LayerOperator():
            return None if op.pooled else 1
        case Conv1d() | Pool1d():
            return 1
        case Gather(gathered):
            indices = axes.get(id(node.inputs[1]))
            return indices + gathered if indices is not None else axis
        case Binary() | Concatenate():
            found = [
                axes[id(tensor)] + rank - len(tensor.shape)
                for tensor in node.inputs
                if id(tensor) in axes
            ]
            return min(found, default=None)
    if axis is None:
        return None
    match op:
        case Transpose(perm):
            return perm.index(axis)
        case Reduce(axes=reduced, keepdims=keepdims):
            if axis in reduced:
                return None
            return axis if keepdims else axis - sum(r < axis for r in reduced)
        case StridedSlice() if node.output.shape[axis] == 1 < x.shape[axis]:
            return None  # one step is selected: a kind of pooling
        case Reshape(shape):
            return reshaped_axis(axis, x.shape, shape)
    return axis


def reshaped_axis(axis: int, old: tuple[int, ...], new: tuple[int, ...]) -> int | None:
    """Where `axis` is after a reshape that keeps it apart; None if it merges with another.

    Among axes of one element, time stays where it was, and never becomes the batch.
    """
    before = math.prod(old[:axis])
    fitting = [
        candidate
        for candidate, n in enumerate(new)
        if n == old[axis] and math.prod(new[:candidate]) == before
    ]
    if axis in fitting:
        return axis
    return next((candidate for candidate in fitting if candidate > 0 or axis == 0), None)
