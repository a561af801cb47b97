"""Pooling over time in a stream, where the sequence has no end: what it means is chosen."""

from __future__ import annotations

from dataclasses import dataclass

from scanlet.errors import InputError, UnsupportedModelError
from scanlet.graph import Graph, Node
from scanlet.graph.operators import Reduce, Reshape, StreamPool, StridedSlice, Transpose
from scanlet.graph.operators.streaming import LONGEST_INTEGER_WINDOW
from scanlet.passes.rewrite import insert_before, where
from scanlet.passes.time_axes import time_axes

CHOICES = 'pooling="mean", "exponential:STEPS", "last" or "chunk"'


@dataclass(frozen=True)
class ExponentialMean:
    """Pooling over a stream by an exponential mean with a time constant of `steps` (1 to 65,535).

    m_t = m_{t-1} + (x_t - m_{t-1}) / min(t, steps): the plain mean of the first `steps` steps
    since the reset, and from then on a mean in which a step weighs 1 / e of the newest one when it
    is `steps` old.
    """

    steps: int

    def __post_init__(self) -> None:
        whole = isinstance(self.steps, int) and not isinstance(self.steps, bool)
        if not whole or not 1 <= self.steps <= LONGEST_INTEGER_WINDOW:
            raise InputError(
                f"an exponential mean over {self.steps!r} steps",
                hint=f"choose a whole number from 1 to {LONGEST_INTEGER_WINDOW:,}",
            )

    def __str__(self) -> str:
        return f"exponential:{self.steps}"


#: "mean": of all steps since the reset; "last": the newest step; "chunk": the model's own pooling,
#: over each chunk for itself; None: not chosen.
Pooling = str | ExponentialMean | None


def as_pooling(choice: object) -> Pooling:
    """A choice as a user writes it. Raises InputError if it is none."""
    if choice is None or isinstance(choice, ExponentialMean) or choice in ("mean", "last", "chunk"):
        return choice
    kind, _, steps = str(choice).partition(":")
    if isinstance(choice, str) and kind == "exponential" and steps.isdecimal():
        return ExponentialMean(int(steps))
    raise InputError(f"pooling is {choice!r}", hint=f"choose {CHOICES}, for example exponential:50")


def pool_streams(graph: Graph, pooling: Pooling) -> int:
    """Needs the simplifying passes. Ensures that a mean over time is what `pooling` says: a
    StreamPool, the last step, or still a Reduce ("chunk").

    Returns how many poolings over time there were. Raises UnsupportedModelError where none was
    chosen, and for a pooling that has no such form.
    """
    axes = time_axes(graph)
    found = 0
    for node in list(graph.nodes):
        axis = axes.get(id(node.inputs[0]))
        if not isinstance(node.op, Reduce) or axis is None or axis not in node.op.axes:
            continue
        found += 1
        if pooling is None:
            raise UnsupportedModelError(
                f"the {node.op.kind} over time has no end in a stream",
                where=where(node),
                hint=f"say what it shall be over: {CHOICES} "
                "(mean: all steps since the reset; chunk: each chunk for itself)",
            )
        if pooling == "chunk":
            continue
        if node.op.kind != "mean" and pooling != "last":
            raise UnsupportedModelError(
                f"the {node.op.kind} over time cannot be carried from chunk to chunk",
                where=where(node),
                hint='choose pooling="chunk" or pooling="last"',
            )
        _replace(graph, node, axis, pooling)
    return found


def _replace(graph: Graph, node: Node, axis: int, pooling: Pooling) -> None:
    """Put the pooling in the place of a Reduce over `axis` (and maybe others)."""
    assert isinstance(node.op, Reduce)
    op, x = node.op, node.inputs[0]
    others = tuple(other for other in op.axes if other != axis)
    if others:
        x = insert_before(graph, node, Reduce(op.kind, others, keepdims=True), [x])
    rank, length = len(x.shape), x.shape[axis]
    if pooling == "last":
        begin = tuple(length - 1 if i == axis else 0 for i in range(rank))
        x = insert_before(graph, node, StridedSlice(begin, x.shape, (1,) * rank), [x])
    else:
        order = (0, axis, *(i for i in range(1, rank) if i != axis))
        if order != tuple(range(rank)):
            x = insert_before(graph, node, Transpose(order), [x])
        if rank != 3:
            x = insert_before(graph, node, Reshape((1, length, x.size // length)), [x])
        window = pooling.steps if isinstance(pooling, ExponentialMean) else 0
        x = insert_before(graph, node, StreamPool(window), [x])
    node.op, node.inputs = Reshape(node.output.shape), [x]
