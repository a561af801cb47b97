"""How large indices may be: GATHER does not check them on the host.

What indexes a table is a constant, or comes from an input of the model through operators that only
move data; such an input is checked on every run.
"""

from __future__ import annotations

from scanlet.emit.model_description import ModelDescription
from scanlet.emit.validation.node import nodes

MOVING = frozenset({"RESHAPE", "TRANSPOSE", "STRIDED_SLICE", "CONCATENATION", "PAD"})


def index_limits(model: ModelDescription) -> dict[int, int]:
    """By input (its tensor's index): the rows of the smallest table that it indexes.

    Raises ModelFileError where indices are computed in another way, or a constant is beyond.
    """
    limits: dict[int, int] = {}
    inputs = {tensor.index for tensor in model.inputs}
    for node in reversed(nodes(model)):
        moves = node.op.name in MOVING and not node.op.custom
        limit = limits.get(node.output.index)
        if limit is not None:
            node.need(moves, "computes indices, whose range nobody checks")
            whole = node.op.name == "CONCATENATION"
            for tensor in node.inputs if whole else node.inputs[:1]:
                if tensor is not None:
                    limits[tensor.index] = min(limit, limits.get(tensor.index, limit))
        if node.op.name == "GATHER" and not node.op.custom:
            table, rows = node.tensor(0), node.tensor(1)
            count = table.shape[node.op.options["axis"]]
            limits[rows.index] = min(count, limits.get(rows.index, count))
    for node in nodes(model):
        for tensor in node.inputs:
            if tensor is not None and tensor.constant and tensor.index in limits:
                values, limit = tensor.array(), limits[tensor.index]
                inside = values.min() >= 0 and values.max() < limit
                node.need(inside, f"takes indices from {tensor.name!r} beyond {limit} rows")
    return {index: limit for index, limit in limits.items() if index in inputs}
