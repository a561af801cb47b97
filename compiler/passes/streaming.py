"""Stream mode: one invoke a chunk, so only mixers may carry anything from step to step."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

from scanlet.errors import UnsupportedModelError
from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import (
    FLOAT_LAYERS,
    Binary,
    Concatenate,
    Conv1d,
    DiagonalSSM,
    Flip,
    Gather,
    LayerOperator,
    Linear,
    Mamba2,
    Norm,
    Pad,
    Pool1d,
    Reduce,
    Reshape,
    SelectiveSSM,
    Softmax,
    StridedSlice,
    Transpose,
)
from scanlet.passes.rewrite import where

#: For each tensor (by id) the axis that is time; tensors without a time axis are not in it.
TimeAxes = dict[int, int]


def stream(graph: Graph) -> bool:
    """Needs the simplifying passes (a pair of flips is gone, a kernel of one is a product).

    Ensures that every mixer is in stream mode and that nothing else mixes time steps, so that
    a sequence cut into chunks gives what it gives as a whole. Pooling over time is allowed: it
    is over the chunk. Raises UnsupportedModelError naming the module that mixes time.
    """
    axes = time_axes(graph)
    for node in graph.nodes:
        problem = _mixes_time(node, axes)
        if problem:
            raise UnsupportedModelError(
                f"{problem}, which does not work chunk by chunk",
                where=where(node),
                hint="compile with mode='sequence', or let only causal mixers look back in time",
            )
    changed = False
    for node in graph.nodes:
        if isinstance(node.op, FLOAT_LAYERS) and node.op.mode != "stream":
            node.op = replace(node.op, mode="stream")
            changed = True
    return changed


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
        case StridedSlice() if node.output.shape[axis] == 1:
            return None  # one step is selected: a kind of pooling
        case Reshape(shape):
            return _reshaped(axis, x.shape, shape)
    return axis


def _reshaped(axis: int, old: tuple[int, ...], new: tuple[int, ...]) -> int | None:
    """Where `axis` is after a reshape that keeps it apart; None if it merges with another."""
    before = math.prod(old[:axis])
    for candidate, n in enumerate(new):
        if n == old[axis] and math.prod(new[:candidate]) == before:
            return candidate
    return None


def _mixes_time(node: Node, axes: TimeAxes) -> str | None:
    """What `node` does to neighbouring time steps, in words; None if it keeps them apart."""
    op, x, y = node.op, node.inputs[0], node.output
    match op:
        case SelectiveSSM(reverse=True) | Mamba2(reverse=True) | DiagonalSSM(reverse=True):
            return "the mixer runs backwards in time"
        case Conv1d(stride=stride) if node.inputs[1].shape[1] > 1 or stride > 1:
            return f"the convolution (kernel {node.inputs[1].shape[1]}, stride {stride}) mixes time"
        case Pool1d(kernel=kernel, stride=stride) if kernel > 1 or stride > 1:
            return f"the pooling window (kernel {kernel}, stride {stride}) mixes time"
        case Binary():
            return _varies_in_time(node, axes)
    axis = axes.get(id(x))
    if axis is None or x.shape[axis] == 1:
        return None
    last = len(x.shape) - 1
    match op:
        case Flip(flipped) if flipped == axis:
            return "time is reversed"
        case Softmax() | Norm() | Linear() if axis == last:
            return f"{type(op).__name__} over the time axis mixes time"
        case Concatenate(joined) if joined == axis:
            return "a concatenation along time shifts it"
        case Pad(padding) if padding[axis] != (0, 0):
            return "padding along time shifts it"
        case Gather(gathered) if gathered == axis and id(node.inputs[1]) not in axes:
            return "time steps are picked by index"
        case StridedSlice() if y.shape[axis] not in (1, x.shape[axis]):
            return "a slice along time shifts it"
        case Reshape(shape) if _reshaped(axis, x.shape, shape) is None:
            return "a reshape merges time with another axis"
    return None


def _varies_in_time(node: Node, axes: TimeAxes) -> str | None:
    """A sum or product with a constant that differs from step to step (positions)."""
    axis = axes.get(id(node.output))
    if axis is None:
        return None
    for tensor in node.inputs:
        own = axis - (len(node.output.shape) - len(tensor.shape))
        if tensor.is_constant and own >= 0 and tensor.shape[own] > 1:
            return "a constant that varies along time (a positional embedding) restarts"
    return None
