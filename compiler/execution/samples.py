"""Input samples that a model is verified with: the user's own, else drawn at random."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scanlet.errors import InputError
from scanlet.graph import Graph, Tensor
from scanlet.graph.operators import Gather

if TYPE_CHECKING:
    from scanlet.passes import StreamShape

Sample = tuple[np.ndarray, ...]


def as_array(value: Any) -> np.ndarray:
    """A NumPy array of numbers from an array, a torch tensor (detached) or nested lists.

    Raises InputError if it is none.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError("not an array: its parts differ in shape") from error
    if array.dtype.kind not in "fiub":
        raise InputError(f"not an array of numbers, but of {array.dtype}")
    return array


def as_sample(
    value: Any, inputs: Sequence[Tensor], where: str, stream: StreamShape | None = None
) -> Sample:
    """One sample as a tuple of arrays of the graph's input shapes and types; of a stream, any
    number of chunks.

    Raises InputError naming what does not fit.
    """
    parts = value if isinstance(value, (tuple, list)) and len(inputs) > 1 else (value,)
    if isinstance(value, (tuple, list)) and len(inputs) == 1 and len(value) == 1:
        parts = value
    if len(parts) != len(inputs):
        raise InputError(f"{len(inputs)} inputs expected, got {len(parts)}", where=where)
    arrays = []
    axes = stream.inputs if stream else (None,) * len(inputs)
    for tensor, part, axis in zip(inputs, parts, axes, strict=True):
        try:
            array = as_array(part)
        except InputError as error:
            raise InputError(
                f"input {tensor.name!r} is {error.message}",
                where=where,
                hint="give an array a sample (a tuple of them for several inputs), no labels",
            ) from error
        shape = list(tensor.shape)
        if stream and axis is not None and array.ndim == len(shape):
            _check_chunks(array.shape[axis], stream, where)
            shape[axis] = array.shape[axis]
        if list(array.shape) != shape:
            raise InputError(
                f"input {tensor.name!r} has shape {tuple(array.shape)}, "
                f"the model was compiled for {tensor.shape}",
                where=where,
                hint="give one sample at a time, with its batch dimension of 1: of an array x of "
                "samples, [x[i : i + 1] for i in range(len(x))]",
            )
        if tensor.dtype != "float32" and not np.array_equal(array, np.round(array)):
            raise InputError(
                f"input {tensor.name!r} takes integers ({tensor.dtype}), got fractions", where=where
            )
        arrays.append(array.astype(tensor.dtype))
    if stream and len({a.shape[axis] for a, axis in zip(arrays, axes, strict=True) if axis}) > 1:
        raise InputError("the inputs differ in length", where=where)
    return tuple(arrays)


def _check_chunks(length: int, stream: StreamShape, where: str) -> None:
    if length % stream.chunk or not length:
        raise InputError(
            f"a sequence of {length} steps is no whole number of chunks of {stream.chunk}",
            where=where,
            hint="cut it, or compile with another chunk=",
        )


def as_samples(
    data: Iterable[Any], inputs: Sequence[Tensor], where: str, stream: StreamShape | None = None
) -> list[Sample]:
    """All samples of `data`; raises InputError if there is none or one holds a NaN."""
    if not isinstance(data, Iterable):
        raise InputError(f"a list of samples expected, got {type(data).__name__}", where=where)
    samples = [as_sample(value, inputs, f"{where}[{i}]", stream) for i, value in enumerate(data)]
    if not samples:
        raise InputError("no samples: the iterable is empty", where=where)
    for i, sample in enumerate(samples):
        for tensor, array in zip(inputs, sample, strict=True):
            if not np.isfinite(array).all():
                raise InputError(
                    f"a value of input {tensor.name!r} is NaN or infinite", where=f"{where}[{i}]"
                )
    return samples


def check_tokens(samples: Sequence[Sample], graph: Graph, where: str) -> None:
    """Raise InputError if an index is beyond the table that it is looked up in."""
    for position, tensor in enumerate(graph.inputs):
        rows = _rows(graph, tensor)
        for i, sample in enumerate(samples if rows else ()):
            low, high = sample[position].min(), sample[position].max()
            if low < 0 or high >= min(rows):
                raise InputError(
                    f"input {tensor.name!r} holds indices from {low} to {high}, the table has "
                    f"{min(rows)} rows",
                    where=f"{where}[{i}]",
                )


def random_samples(
    graph: Graph,
    count: int,
    *,
    mean: np.ndarray | float = 0.0,
    std: np.ndarray | float = 1.0,
    seed: int = 0,
) -> list[Sample]:
    """`count` samples: normal with `mean` and `std` (broadcast to the input), tokens uniform."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        sample = []
        for tensor in graph.inputs:
            if tensor.dtype == "float32":
                array = rng.standard_normal(tensor.shape) * std + mean
            else:
                array = rng.integers(0, _vocabulary(graph, tensor), tensor.shape)
            sample.append(array.astype(tensor.dtype))
        samples.append(tuple(sample))
    return samples


def _vocabulary(graph: Graph, tokens: Tensor) -> int:
    """Number of rows of the smallest table that `tokens` index."""
    return min(_rows(graph, tokens), default=2)


def _rows(graph: Graph, tokens: Tensor) -> list[int]:
    """Rows of the tables that `tokens` index."""
    return [
        node.inputs[0].shape[node.op.axis]
        for node in graph.consumers(tokens)
        if isinstance(node.op, Gather) and node.inputs[1] is tokens
    ]
