"""Stream mode: one invoke a chunk, and only what carries its past may look back in time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scanlet.errors import InputError, UnsupportedModelError
from scanlet.graph import Graph, Node
from scanlet.graph.operators import (
    FLOAT_LAYERS,
    Binary,
    Concatenate,
    Conv1d,
    DiagonalSSM,
    Flip,
    Gather,
    Linear,
    Mamba2,
    Norm,
    Pad,
    Pool1d,
    Reshape,
    SelectiveScan,
    SelectiveSSM,
    Softmax,
    StridedSlice,
)
from scanlet.passes.cancel_transposes import cancel_transposes
from scanlet.passes.fold_constants import fold_constants
from scanlet.passes.rechunk import rechunk, smallest_chunk, steps_of
from scanlet.passes.rewrite import where
from scanlet.passes.sink_flips import sink_flips
from scanlet.passes.stream_pooling import Pooling, pool_streams
from scanlet.passes.stream_windows import reads_history, stream_windows, window_problem
from scanlet.passes.time_axes import TimeAxes, reshaped_axis, time_axes


@dataclass(frozen=True)
class Stream:
    """How a model is streamed: `chunk` steps a call (None: as many as the model was captured
    with), and what its pooling over time is over."""

    chunk: int | None = None
    pooling: Pooling = None


@dataclass(frozen=True)
class StreamShape:
    """Where time lies in a streamed model: the axis of each input and output, None where there is
    none; steps a call, the fewest that a call could take for the same results, and the steps that
    were captured."""

    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]
    chunk: int
    least: int
    captured: int


def stream(graph: Graph, how: Stream) -> StreamShape:
    """Needs the simplifying passes (a pair of flips is gone, a kernel of one is a product).

    Ensures that every mixer is in stream mode, that poolings over time are what `how` says, that
    causal convolutions carry what they look back on, and that nothing else mixes time steps, so
    that a sequence cut into chunks gives what it gives as a whole; and chunks of the length asked
    for. Returns where time lies. Raises UnsupportedModelError naming the module that mixes time,
    InputError for a choice that does not fit.
    """
    poolings = pool_streams(graph, how.pooling)
    if how.pooling is not None and not poolings:
        raise InputError(
            f"pooling is {how.pooling!r}, but nothing in the model pools over time by a mean",
            hint="leave pooling= away",
        )
    stream_windows(graph)
    refuse_mixing(graph)
    for node in graph.nodes:
        if isinstance(node.op, FLOAT_LAYERS):
            node.op = replace(node.op, mode="stream")
    axes = time_axes(graph)
    captured = steps_of(graph, axes)
    if captured is None:
        raise UnsupportedModelError("no input has a time axis", hint="compile with mode='sequence'")
    chunk = captured if how.chunk is None else how.chunk
    shape = StreamShape(
        inputs=tuple(axes.get(id(tensor)) for tensor in graph.inputs),
        outputs=tuple(axes.get(id(tensor)) for tensor in graph.outputs),
        chunk=chunk,
        least=chunk if how.pooling == "chunk" else smallest_chunk(graph, axes, captured),
        captured=captured,
    )
    rechunk(graph, chunk)
    return shape


def refuse_reversal(graph: Graph) -> None:
    """Needs nothing. Raises UnsupportedModelError for a model that runs backwards in time, before
    chunks of a single step make a reversal look like nothing."""
    trial = graph.copy()
    while any(one(trial) for one in (fold_constants, cancel_transposes, sink_flips)):
        pass
    axes = time_axes(trial)
    for node in trial.nodes:
        axis = axes.get(id(node.inputs[0]))
        backwards = isinstance(node.op, FLOAT_LAYERS) and node.op.reverse
        flips = isinstance(node.op, Flip) and node.op.axis == axis
        if axis is not None and node.inputs[0].shape[axis] == 1 and (flips or backwards):
            _refuse(node, BACKWARDS if backwards else REVERSED)


def refuse_mixing(graph: Graph) -> None:
    """Raises UnsupportedModelError for what would give chunks another result than the whole."""
    axes = time_axes(graph)
    for node in graph.nodes:
        problem = _mixes_time(graph, node, axes)
        if problem:
            _refuse(node, problem)


BACKWARDS, REVERSED = "the mixer runs backwards in time", "time is reversed"


def _refuse(node: Node, problem: str) -> None:
    raise UnsupportedModelError(
        f"{problem}, which does not work chunk by chunk",
        where=where(node),
        hint="compile with mode='sequence', or let only causal mixers and convolutions look back "
        "in time",
    )


def _mixes_time(graph: Graph, node: Node, axes: TimeAxes) -> str | None:
    """What `node` does to neighbouring time steps, in words; None if it keeps them apart."""
    op, x, y = node.op, node.inputs[0], node.output
    match op:
        case SelectiveSSM() | Mamba2() | DiagonalSSM() | SelectiveScan() if op.reverse:
            return BACKWARDS
        case Conv1d() | Pool1d():
            return None if reads_history(graph, node) else window_problem(node)
        case Binary():
            return _varies_in_time(node, axes)
    axis = axes.get(id(x))
    if axis is None or x.shape[axis] == 1:
        return None
    last = len(x.shape) - 1
    match op:
        case Flip(flipped) if flipped == axis:
            return REVERSED
        case Softmax() | Norm() | Linear() if axis == last:
            return f"{type(op).__name__} over the time axis mixes time"
        case Concatenate(joined) if joined == axis:
            return "a concatenation along time shifts it"
        case Pad(padding) if padding[axis] != (0, 0):
            return "padding along time shifts it"
        case Gather(gathered) if gathered == axis and id(node.inputs[1]) not in axes:
            return "time steps are picked by index"
        case StridedSlice(begin) if y.shape[axis] == 1 and _picked(begin[axis], x.shape[axis]):
            return f"step {begin[axis]} of {x.shape[axis]} is picked, not the last"
        case StridedSlice() if y.shape[axis] not in (1, x.shape[axis]):
            return "a slice along time shifts it"
        case Reshape(shape) if reshaped_axis(axis, x.shape, shape) is None:
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


def _picked(begin: int, length: int) -> bool:
    """Whether a slice that leaves one of `length` steps leaves another one than the last."""
    return begin not in (length - 1, -1)
