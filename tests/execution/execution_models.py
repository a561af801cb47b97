"""Small networks for the execution tests, with and without a mixer."""

from __future__ import annotations

import numpy as np

from scanlet.emit.flatbuffer import write_model
from scanlet.emit.operator_source import render_component
from scanlet.execution.host import HostLibrary, build_library
from scanlet.graph import Graph, Tensor, constant
from scanlet.graph.operators import (
    WEIGHT_ORDER,
    Conv1d,
    Linear,
    Reduce,
    SelectiveSSM,
    Unary,
)
from scanlet.planning.plan import make_plan
from scanlet.targets import find


def shell(length: int = 8) -> Graph:
    """No SELECTIVE_SSM node."""
    rng = np.random.default_rng(0)
    graph = Graph([Tensor("x", (1, length, 3))], [], [])
    y = graph.add(
        Conv1d(), [graph.inputs[0], constant("w", rng.standard_normal((4, 3, 3)))], name="c"
    )
    y = graph.add(Reduce("mean", (1,)), [y], name="mean")
    graph.outputs = [graph.add(Unary("tanh"), [y], name="y")]
    return graph


def mixer(
    length: int = 6, d_model: int = 4, d_inner: int = 8, mode: str = "sequence", gelu: bool = False
) -> Graph:
    """Linear, one mixer (and GELU)."""
    rng = np.random.default_rng(d_inner)
    d_state, dt_rank, d_conv = 3, 1, 4
    shapes = {
        "in_proj_weight": (2 * d_inner, d_model),
        "conv_weight": (d_inner, d_conv),
        "conv_bias": (d_inner,),
        "x_proj_weight": (dt_rank + 2 * d_state, d_inner),
        "dt_proj_weight": (d_inner, dt_rank),
        "dt_proj_bias": (d_inner,),
        "A": (d_inner, d_state),
        "D": (d_inner,),
        "out_proj_weight": (d_model, d_inner),
    }
    data = {name: rng.standard_normal(shape) / 2 for name, shape in shapes.items()}
    data["A"] = -np.exp(data["A"])
    names = tuple(name for name in WEIGHT_ORDER if name in shapes)
    op = SelectiveSSM(names, d_inner, d_state, dt_rank, d_conv, mode=mode)
    graph = Graph([Tensor("x", (1, length, 5))], [], [])
    weight = constant("embed.weight", rng.standard_normal((d_model, 5)))
    y = graph.add(Linear(), [graph.inputs[0], weight], name="embedded")
    y = graph.add(op, [y, *(constant(name, data[name]) for name in names)], name="mixed")
    if gelu:
        y = graph.add(Unary("gelu"), [y], name="activated")
    graph.outputs = [y]
    return graph


def build(graph: Graph, name: str = "tiny") -> tuple[bytes, HostLibrary]:
    """The flatbuffer and the operator's library."""
    plan = make_plan(graph, find("generic"))
    gelu = any(isinstance(n.op, Unary) and n.op.kind == "gelu" for n in graph.nodes)
    component = render_component(plan.layers, name=name, uses_gelu=gelu, target=plan.target)
    return write_model(graph, plan.layers), build_library(component, name=name)


def sample(graph: Graph, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(graph.inputs[0].shape).astype(np.float32)
