"""Channel affines that no layer took, as a product and a sum."""

from __future__ import annotations

import numpy as np

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import Binary, ChannelAffine
from scanlet.passes.affine import Affine, as_affine
from scanlet.passes.rewrite import bypass, insert_before, new_constant


def lower_affine(graph: Graph) -> bool:
    """Needs fold_affine. Ensures that no ChannelAffine is left; products with one and sums with
    zero are left out, equal channels become a scalar, and offset - x is one operator."""
    changed = False
    for node in list(graph.nodes):
        affine = as_affine(node)
        if affine is None or not isinstance(node.op, ChannelAffine):
            continue
        changed = True
        scales, shifts = np.any(affine.scale != 1), np.any(affine.offset != 0)
        if not scales and not shifts and bypass(graph, node):
            continue
        scale, offset = (_broadcastable(graph, node, affine, part) for part in ("scale", "offset"))
        if np.all(affine.scale == -1) and shifts:
            node.op, node.inputs = Binary("sub"), [offset, affine.x]
        elif not shifts:
            node.op, node.inputs = Binary("mul"), [affine.x, scale]
        elif not scales:
            node.op, node.inputs = Binary("add"), [affine.x, offset]
        else:
            product = insert_before(graph, node, Binary("mul"), [affine.x, scale])
            node.op, node.inputs = Binary("add"), [product, offset]
    return changed


def _broadcastable(graph: Graph, node: Node, affine: Affine, part: str) -> Tensor:
    data = affine.scale if part == "scale" else affine.offset
    if np.all(data == data[0]):
        shape: tuple[int, ...] = (1,)
        data = data[:1]
    else:
        assert affine.axis is not None
        shape = (-1,) + (1,) * (len(affine.x.shape) - 1 - affine.axis)
    return new_constant(graph, f"{node.output.name}.{part}", data.reshape(shape))
