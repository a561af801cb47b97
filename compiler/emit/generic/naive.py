"""The network with naive C in place of SELECTIVE_SSM: what the benchmark compares with."""

from __future__ import annotations

from scanlet.emit.generic.source import Library
from scanlet.emit.templates import render
from scanlet.errors import UnsupportedModelError
from scanlet.graph import Graph, Node
from scanlet.graph.operators import SelectiveSSM
from scanlet.planning.layer import LayerPlan
from scanlet.planning.plan import Plan
from scanlet.resources import resource_dir


def render_naive(graph: Graph, plan: Plan, *, name: str) -> dict[str, str]:
    """As `render_generic`, with every mixer as a direct transcription of its equations.

    Mamba-1 alone; raises UnsupportedModelError for other layers.
    It keeps an array as long as the sequence for every intermediate and calls libm.
    """
    for layer in plan.layers:
        if not isinstance(layer.op, SelectiveSSM):
            raise UnsupportedModelError(
                f"there is no naive transcription of {type(layer.op).__name__}",
                where=layer.name,
                hint="measure the operator itself (naive=False)",
            )
    library = _NaiveLibrary(graph, plan, name)
    files = library.render()
    files[f"{name}_naive.h"] = "\n".join(
        f"void {layer.name}_naive(const float* x, float* y, const void* const* w);"
        for layer in plan.layers
    )
    for layer in plan.layers:
        context = {"name": name, "layer": layer, "op": layer.op}
        files[f"{layer.name}_naive.c"] = render("generic/naive.c.j2", context)
    for folder in ("shell", "kernels"):
        for path in sorted((resource_dir("tflm_ops") / folder).rglob("*.h")):
            relative = path.relative_to(resource_dir("tflm_ops"))
            files[str(relative)] = path.read_text("utf-8")
    return files


class _NaiveLibrary(Library):
    def header(self) -> str:
        return f"{self.name}_naive.h"

    def run_layer(self, node: Node, layer: LayerPlan, out: str) -> list[str]:
        named = layer.op.named(node.inputs)
        weights = [
            self.weight(tensor.name, tensor.data, "float32")
            for tensor in named.values()
            if tensor.data is not None
        ]
        index = self.layer_count
        self.layer_count += 1
        self.layers.append({"name": f"{layer.name}_{index}", "weights": weights})
        x = self.c_name(node.inputs[0])
        return [f"{layer.name}_naive({x}, {out}, {layer.name}_{index}_weights);"]
