"""The graph as captured and as the flatbuffer holds it, and what happens inside a mixer."""

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
                "layer": next(indices) if is_layer else None,
            }
        )
    return nodes


def partition(op: LayerOperator) -> list[dict[str, Any]]:
    """The operator's loops from the outside in: {"loop", "steps"}; what is fused is named."""
    weights = set(op.weights)
    pooling = getattr(op, "pooling", None)
    before = ["load the tile"]
    before += ["input Linear"] if "input_weight" in weights else []
    norm = getattr(op, "norm", None)
    before += [f"{norm} norm"] if norm else []
    before += ["in_proj, x half"] if "in_proj_weight" in weights else []
    before += ["causal conv, SiLU"] if "conv_weight" in weights else []
    before += ["x_proj"] if "x_proj_weight" in weights else []
    before += ["norms of dt, B, C"] if getattr(op, "inner_norm", None) else []
    inside = ["dt_proj, softplus"] if "dt_proj_weight" in weights else []
    inside += ["recurrence, step by step"]
    inside += ["in_proj, z half; gate"] if "in_proj_weight" in weights else []
    out = ["out_proj"] if "out_proj_weight" in weights else []
    out += ["residual"] if getattr(op, "residual", False) else []
    stages = [
        {"loop": "Pre-SSM, for each time tile", "steps": before},
        {"loop": "SSM, a few channels at a time", "steps": inside},
    ]
    if pooling:
        stages.append({"loop": "Post-SSM, for each time tile", "steps": [f"{pooling} over time"]})
        stages.append({"loop": "once a sequence", "steps": out})
    else:
        stages.append({"loop": "Post-SSM, for each time tile", "steps": [*out, "store the tile"]})
    return stages


def _operator(op: object) -> str:
    """The class's name, with the kind where it has one: "Unary relu"."""
    kind = getattr(op, "kind", None)
    return f"{type(op).__name__} {kind}" if isinstance(kind, str) else type(op).__name__
