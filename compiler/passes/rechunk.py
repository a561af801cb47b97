"""A streamed graph for chunks of another length."""

from __future__ import annotations

import math
from dataclasses import replace

from scanlet.errors import InputError
from scanlet.graph import Graph, Node
from scanlet.graph.operators import Reshape, StreamHistory, StridedSlice
from scanlet.passes.time_axes import TimeAxes, time_axes


def rechunk(graph: Graph, chunk: int) -> bool:
    """Needs `stream` (nothing mixes time, no constant varies along it). Ensures that a call takes
    `chunk` steps. Raises InputError for a length that the model cannot take."""
    axes = time_axes(graph)
    old = steps_of(graph, axes)
    if chunk == old or old is None:
        return False
    least = smallest_chunk(graph, axes, old)
    if chunk < 1 or chunk % least:
        raise InputError(f"chunks of {chunk} steps", hint=f"choose a positive multiple of {least}")
    for tensor in graph.inputs:
        if id(tensor) in axes:
            tensor.shape = _with(tensor.shape, axes[id(tensor)], chunk)
    for node in graph.nodes:
        _adapt(node, axes)
        y = node.output
        y.shape = node.op.infer_shape(*[tensor.shape for tensor in node.inputs])
    graph.validate()
    return True


def steps_of(graph: Graph, axes: TimeAxes) -> int | None:
    """Steps a call: the length of the inputs' time axes; None if none has one."""
    lengths = {t.shape[axes[id(t)]] for t in graph.inputs if id(t) in axes}
    if len(lengths) > 1:
        raise InputError(f"the inputs differ in length: {sorted(lengths)} steps")
    return lengths.pop() if lengths else None


def smallest_chunk(graph: Graph, axes: TimeAxes, steps: int) -> int:
    """The fewest steps that a call of a streamed graph could take instead of `steps`: the product
    of its strides."""
    longer = {id(node.output) for node in graph.nodes if isinstance(node.op, StreamHistory)}
    lengths = [
        tensor.shape[axes[id(tensor)]]
        for tensor in graph.tensors()
        if id(tensor) in axes and id(tensor) not in longer and not tensor.is_constant
    ]
    return steps // math.gcd(*lengths)


def _adapt(node: Node, axes: TimeAxes) -> None:
    """Numbers in an operator that are lengths; its inputs have their new shapes already."""
    op, x, y = node.op, node.inputs[0], node.output
    axis = axes.get(id(x))
    if axis is None:
        return
    steps = x.shape[axis]
    match op:
        case Reshape(shape) if id(y) in axes:
            node.op = Reshape(_with(shape, axes[id(y)], steps))
        case StridedSlice(begin, end):
            one = y.shape[axis] == 1 and id(y) not in axes  # the last step
            node.op = replace(
                op,
                begin=_with(begin, axis, steps - 1 if one else 0),
                end=_with(end, axis, steps),
            )


def _with(values: tuple[int, ...], position: int, value: int) -> tuple[int, ...]:
    return (*values[:position], value, *values[position + 1 :])
