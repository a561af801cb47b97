"""Samples of a streamed model: sequences from a reset on, cut into chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from scanlet.execution.samples import Sample
from scanlet.graph import Graph
from scanlet.passes import StreamShape

Run = Callable[..., list[np.ndarray]]


def chunks_of(sample: Sequence[np.ndarray], shape: StreamShape) -> Iterator[Sample]:
    """The chunks of a sequence; inputs without a time axis are the same in each."""
    for start in range(0, steps(sample, shape), shape.chunk):
        yield tuple(
            array
            if axis is None
            else array[(slice(None),) * axis + (slice(start, start + shape.chunk),)]
            for array, axis in zip(sample, shape.inputs, strict=True)
        )


def steps(sample: Sequence[np.ndarray], shape: StreamShape) -> int:
    """The length of a sequence."""
    return next(
        array.shape[axis]
        for array, axis in zip(sample, shape.inputs, strict=True)
        if axis is not None
    )


def joined(results: Sequence[Sequence[np.ndarray]], shape: StreamShape) -> list[np.ndarray]:
    """The outputs [chunk][output] of a sequence: one behind the other along time, and where an
    output has no time axis, a row a chunk."""
    return [
        np.concatenate(parts, axis=0 if axis is None else axis)
        for parts, axis in zip(zip(*results, strict=True), shape.outputs, strict=True)
    ]


def at_the_end(outputs: Sequence[np.ndarray], shape: StreamShape) -> list[np.ndarray]:
    """Of `joined` outputs, the last row of those without a time axis."""
    return [
        array if axis is not None else array[-1:]
        for array, axis in zip(outputs, shape.outputs, strict=True)
    ]


def run_stream(run: Run, sample: Sequence[np.ndarray], shape: StreamShape) -> list[np.ndarray]:
    """`joined` outputs of `run` on each chunk in turn."""
    return joined([run(*chunk) for chunk in chunks_of(sample, shape)], shape)


def meaning(graph: Graph, shape: StreamShape) -> Run:
    """The NumPy meaning of a streamed float graph on whole sequences, in float64: what the outputs
    are behind the last chunk."""

    def run(*sample: np.ndarray) -> list[np.ndarray]:
        carried: dict = {}
        outputs = run_stream(lambda *chunk: graph.evaluate(chunk, carried=carried), sample, shape)
        return at_the_end(outputs, shape)

    return run
