"""What `scanlet.compile` needs to know about its options for integer precisions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scanlet.errors import InputError
from scanlet.graph import Graph
from scanlet.passes import Stream
from scanlet.passes.extents import Extent
from scanlet.passes.extents import extents as all_extents
from scanlet.quantization.integer_support import nodes_of


def unfused(
    extents: Sequence[Extent],
    graph: Graph,
    float_modules: Sequence[str],
    mode: str,
    how: Stream | None,
) -> Extent:
    """The first extent in which every one of the modules has operators of its own, else the one
    with the least fusion. `graph`: what the extents are of.

    A Linear may be part of a neighbouring product in all of them: then products stay apart.
    """
    apart = all_extents(graph, mode=mode, how=how, compose=False)
    for extent in (*extents, *apart):
        if all(nodes_of(extent.graph, module) for module in float_modules):
            return extent
    return apart[-1]


def checked_classes(
    labels: Sequence[int] | np.ndarray | None, samples: int, given: bool
) -> list[int] | None:
    """`calibration_labels` as class numbers, one for each of `samples`. Raises InputError."""
    if labels is None:
        return None
    if not given:
        raise InputError("calibration_labels= belong to calibration_data=, which is not there")
    classes = np.asarray(labels)
    if classes.ndim != 1 or not np.issubdtype(classes.dtype, np.integer):
        raise InputError(
            f"calibration_labels are {classes.dtype} of shape {classes.shape}",
            hint="give the number of the right class, from 0, for each calibration sample",
        )
    if len(classes) != samples:
        raise InputError(f"{len(classes)} calibration_labels for {samples} samples")
    return [int(number) for number in classes]
