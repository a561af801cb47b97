"""The kinds of layer: how each LayerOperator is planned, and how its weights are packed.

A new kind is a LayerOperator in the graph, an entry here, one in `emit.kinds`, and a template.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph import Node
from scanlet.graph.operators import (
    DiagonalSSM,
    IntegerSSM,
    IntegerStreamPool,
    LayerOperator,
    Mamba2,
    SelectiveScan,
    SelectiveSSM,
    StreamHistory,
    StreamPool,
)
from scanlet.planning.diagonal_layer import (
    diagonal_shapes,
    diagonal_types,
    pack_diagonal,
    plan_diagonal_layer,
)
from scanlet.planning.float_packing import float_shapes, float_types, pack_floats
from scanlet.planning.integer_layer import plan_integer_layer
from scanlet.planning.integer_layout import LAYOUTS
from scanlet.planning.integer_packing import integer_shapes, integer_types, pack_integer
from scanlet.planning.layer import LayerPlan, plan_layer
from scanlet.planning.mamba2_layer import plan_mamba2_layer
from scanlet.planning.mamba2_packing import mamba2_shapes, mamba2_types, pack_mamba2
from scanlet.planning.scan_layer import pack_scan, plan_scan_layer, scan_shapes, scan_types
from scanlet.planning.stream_layers import plan_stream
from scanlet.targets import Target


@dataclass(frozen=True)
class Kind:
    """`plan(node, target, index, name, tile)`: sizes, tile and buffers of a node.

    `shapes`, `types` (element types) and `pack` (arrays, from weights in their canonical shapes)
    say how each weight is stored, by name in the order of the node's inputs.
    """

    plan: Callable[[Node, Target, int, str, int], LayerPlan]
    shapes: Callable[[LayerPlan], dict[str, tuple[int, ...]]]
    types: Callable[[LayerPlan], dict[str, str]]
    pack: Callable[[LayerPlan, dict[str, np.ndarray]], dict[str, np.ndarray]]


def _plan_float(node: Node, target: Target, index: int, name: str, tile: int) -> LayerPlan:  # noqa: ARG001
    return plan_layer(node, index=index, name=name, tile=tile)


def _plan_integer(node: Node, target: Target, index: int, name: str, tile: int) -> LayerPlan:
    layout = LAYOUTS[target.kernels]
    return plan_integer_layer(node, index=index, name=name, tile=tile, layout=layout)


def _plan_mamba2(node: Node, target: Target, index: int, name: str, tile: int) -> LayerPlan:  # noqa: ARG001
    return plan_mamba2_layer(node, index=index, name=name, tile=tile)


def _plan_diagonal(node: Node, target: Target, index: int, name: str, tile: int) -> LayerPlan:  # noqa: ARG001
    return plan_diagonal_layer(node, index=index, name=name, tile=tile)


def _plan_scan(node: Node, target: Target, index: int, name: str, tile: int) -> LayerPlan:  # noqa: ARG001
    return plan_scan_layer(node, index=index, name=name, tile=tile)


#: Of an operator without weights.
WEIGHTLESS = Kind(plan_stream, lambda _: {}, lambda _: {}, lambda _layer, _weights: {})

KINDS: dict[type[LayerOperator], Kind] = {
    SelectiveSSM: Kind(_plan_float, float_shapes, float_types, pack_floats),
    IntegerSSM: Kind(_plan_integer, integer_shapes, integer_types, pack_integer),
    Mamba2: Kind(_plan_mamba2, mamba2_shapes, mamba2_types, pack_mamba2),
    DiagonalSSM: Kind(_plan_diagonal, diagonal_shapes, diagonal_types, pack_diagonal),
    SelectiveScan: Kind(_plan_scan, scan_shapes, scan_types, pack_scan),
    StreamPool: WEIGHTLESS,
    IntegerStreamPool: WEIGHTLESS,
    StreamHistory: WEIGHTLESS,
}


def kind_of(op: LayerOperator) -> Kind:
    """The entry of an operator. Raises GraphError if it has none."""
    if type(op) not in KINDS:
        raise GraphError(f"{type(op).__name__} is no kind of SELECTIVE_SSM")
    return KINDS[type(op)]
