"""Standardization of the raw input, (x - mean) / std, as part of the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scanlet.errors import InputError
from scanlet.graph import Graph, Tensor
from scanlet.graph.operators import ChannelAffine, Transpose
from scanlet.passes.rewrite import new_constant

Values = float | Sequence[float] | np.ndarray


def fold_normalization(graph: Graph, mean: Values, std: Values) -> Graph:
    """A copy of `graph` that takes raw values for its first input and standardizes them itself.

    `mean` and `std` are scalars or vectors, one value a feature; `feature_axis` tells which axis
    they belong to. The ChannelAffine inserted here disappears into the first layer where that is
    exact (pass fold_affine). Raises InputError for values that are not finite, a std that is not
    positive, a length that fits no axis, or an input of integers.
    """
    graph = graph.copy()
    x = graph.inputs[0]
    if x.dtype != "float32":
        raise InputError(
            f"normalization of {x.dtype} values makes no sense",
            where=f"input {x.name!r}",
            hint="leave normalization out for models that take tokens",
        )
    vectors = {"mean": _vector(mean, "mean"), "std": _vector(std, "std")}
    if not np.all(vectors["std"] > 0):
        raise InputError(f"normalization: std must be positive, got {vectors['std'].min()}")
    sizes = {vector.size for vector in vectors.values()} - {1}
    if len(sizes) > 1:
        raise InputError(
            f"normalization: mean has {vectors['mean'].size} values, std {vectors['std'].size}"
        )
    axis = feature_axis(graph, max(sizes, default=1))
    channels = (x.shape[axis],)
    scale = np.broadcast_to(1.0 / vectors["std"], channels)
    offset = np.broadcast_to(-vectors["mean"] / vectors["std"], channels)
    users = graph.consumers(x)
    op = ChannelAffine(axis)
    constants = [
        new_constant(graph, f"{x.name}.{part}", data)
        for part, data in (("scale", scale), ("offset", offset))
    ]
    inputs = [x, *constants]
    name = f"{x.name}_standardized"
    if not users:  # an input nobody reads, or one that is itself an output
        graph.outputs = [
            graph.add(op, inputs, name=name) if out is x else out for out in graph.outputs
        ]
        return graph
    first = min(users, key=graph.index)
    standardized = graph.add(op, inputs, name=name, source=first.source, before=first)
    for node in users:
        node.inputs = [standardized if tensor is x else tensor for tensor in node.inputs]
    return graph


def feature_axis(graph: Graph, size: int) -> int:
    """The axis of the first input that `size` normalization values belong to.

    The last axis (time-major (1, L, F), or (1, F)), unless only axis 1 has that length, or the
    model itself treats axis 1 as channels: it starts by transposing it behind time, as every
    Conv1d stem does. A scalar fits any axis. Raises InputError if the length fits neither.
    """
    x = graph.inputs[0]
    last = len(x.shape) - 1
    if last < 1:
        raise InputError(f"normalization needs a feature axis; input {x.name!r} is {x.shape}")
    fitting = [axis for axis in (last, 1) if size in (1, x.shape[axis])]
    if not fitting:
        raise InputError(
            f"normalization of {size} values does not fit input {x.name!r} of shape {x.shape}",
            hint="give one value, or one a feature (the last axis, or axis 1 for (1, C, L))",
        )
    if len(set(fitting)) > 1 and _channels_first(graph, x):
        return 1
    return fitting[0]


def _channels_first(graph: Graph, x: Tensor) -> bool:
    ops = [node.op for node in graph.consumers(x)]
    return bool(ops) and all(
        (isinstance(op, Transpose) and op.perm[-1] == 1)
        or (isinstance(op, ChannelAffine) and op.axis == 1)
        for op in ops
    )


def _vector(value: Values, name: str) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"normalization: {name} is not numeric: {error}") from error
    if array.ndim > 1:
        array = array.reshape(-1) if array.size == max(array.shape) else array
    if array.ndim > 1 or array.size == 0 or not np.all(np.isfinite(array)):
        raise InputError(
            f"normalization: {name} must be one finite value or a vector of them, "
            f"got shape {array.shape}",
        )
    return array.reshape(-1)
