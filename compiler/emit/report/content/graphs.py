"""The graph as captured, and as the flatbuffer holds it."""

from __future__ import annotations

from typing import Any

from scanlet.emit.model_description import ModelDescription
from scanlet.graph import Graph
from scanlet.graph.operators import LayerOperator
from scanlet.planning.layer import LayerPlan


def captured_graph(graph: Graph) -> list[dict[str, Any]]:
    """The nodes in order: what PyTorch's model became before any pass."""
    return [
        {
            "operator": _operator(node.op),
            "inputs": [tensor.name for tensor in node.inputs if not tensor.is_constant],
            "output": node.output.name,
            "shape": list(node.output.shape),
            "dtype": node.output.dtype,
            "module": node.source.module,
            "mixer": isinstance(node.op, LayerOperator),
            "layer": None,
        }
        for node in graph.nodes
    ]


def lowered_graph(
    model: ModelDescription, layers: tuple[LayerPlan, ...] | list[LayerPlan]
) -> list[dict[str, Any]]:
    """The operators of the flatbuffer in order; `layer` is an index into the report's layers."""
    indices = iter(range(len(layers)))
    nodes = []
    for operator in model.operators:
        output = model.tensors[operator.outputs[0]]
        is_layer = operator.custom and operator.parameters.is_layer
        inputs = [model.tensors[index] for index in operator.inputs if index >= 0]
        nodes.append(
            {
                "operator": operator.name,
                "inputs": [tensor.name for tensor in inputs if not tensor.constant],
                "output": output.name,
                "shape": list(output.shape),
                "dtype": output.dtype,
                "module": "",
                "mixer": is_layer,
                "layer": next(indices) if is_layer else None,
            }
        )
    return nodes


def _operator(op: object) -> str:
    """The class's name, with the kind where it has one: "Unary relu"."""
    kind = getattr(op, "kind", None)
    return f"{type(op).__name__} {kind}" if isinstance(kind, str) else type(op).__name__
