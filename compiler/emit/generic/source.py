"""The generic library: a legal graph as plain C, for any core with a C11 compiler."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from scanlet.emit.c_text import c_array_body
from scanlet.emit.generic.calls import CALLS
from scanlet.emit.generic.integer import integer_call, is_integer
from scanlet.emit.operator_source import render_component
from scanlet.emit.templates import render
from scanlet.errors import GraphError
from scanlet.graph import Graph, Node, Tensor
from scanlet.planning.generic import GenericMemory, nodes_with_layers, plan_memory
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import pack_layer
from scanlet.planning.plan import Plan
from scanlet.resources import resource_dir
from scanlet.version import __version__

C_TYPES = {
    "float32": "float",
    **{name: f"{name}_t" for name in ("int8", "int16", "int32", "int64", "uint16", "uint32")},
}


def render_generic(graph: Graph, plan: Plan, *, name: str) -> dict[str, str]:
    """Every source file of the library by its path.

    `<name>_model.h` has `<name>_init`, `<name>_reset` and `<name>_run`; `<name>_model.c` and
    `<name>_weights.c` are to be compiled, and `selective_ssm_<name>.c` where the model has mixers.
    """
    files = Library(graph, plan, name).render()
    if plan.layers:
        component = render_component(plan.layers, name=name, uses_gelu=False, target=plan.target)
        files |= {
            path: text
            for path, text in component.items()
            if path.endswith((".c", ".h")) and "registration" not in path and path != "host_abi.h"
        }
    sources = resource_dir("tflm_ops")
    for folder in ("shell",) if plan.layers else ("shell", "kernels"):
        for path in sorted((sources / folder).glob("*.h")):
            files[f"{folder}/{path.name}"] = path.read_text("utf-8")
    return files


class Library:
    """Names and texts of one library."""

    def __init__(self, graph: Graph, plan: Plan, name: str) -> None:
        self.graph = graph
        self.plan = plan
        self.name = name
        self.memory: GenericMemory = plan_memory(graph, plan)
        self.names: dict[int, str] = {}
        self.weights: list[dict[str, Any]] = []
        self.constants: dict[tuple[str, bytes], str] = {}
        self.layers: list[dict[str, Any]] = []
        self.layer_count = 0
        for i, tensor in enumerate(graph.inputs):
            self.names[id(tensor)] = f"input{i}"
        for i, tensor in enumerate(graph.outputs):
            if id(tensor) in self.names or tensor.is_constant:
                raise GraphError(f"output {tensor.name!r} is an input or a constant")
            self.names[id(tensor)] = f"output{i}"
        self.activations = [
            {
                "c": self.c_name(tensor),
                "type": C_TYPES[tensor.dtype],
                "offset": self.memory.tensors[id(tensor)],
            }
            for tensor in graph.tensors()
            if id(tensor) in self.memory.tensors
        ]
        self.steps = [self.step(node, layer) for node, layer in nodes_with_layers(graph, plan)]

    def render(self) -> dict[str, str]:
        """The model's own files: run function and weights."""
        return {
            f"{self.name}_{part}": render(f"generic/{part}.j2", self.context())
            for part in ("model.h", "model.c", "weights.h", "weights.c")
        }

    def context(self) -> dict[str, Any]:
        rows = zip(self.memory.lifetimes, self.memory.offsets, strict=True)
        return {
            "name": self.name,
            "version": __version__,
            "memory": self.memory,
            "inputs": self.graph.inputs,
            "outputs": self.graph.outputs,
            "parameters": self.parameters(),
            "activations": self.activations,
            "weights": self.weights,
            "weight_bytes": sum(weight["nbytes"] for weight in self.weights),
            "layers": self.layers,
            "steps": self.steps,
            "operator_header": self.header() if self.layer_count else None,
            "map": [
                {
                    "offset": offset,
                    "nbytes": buffer.nbytes,
                    "first": buffer.first,
                    "last": buffer.last,
                    "name": buffer.name,
                }
                for buffer, offset in rows
            ],
        }

    def header(self) -> str:
        return f"selective_ssm_{self.name}.h"

    def parameters(self) -> str:
        inputs = [f"const {C_TYPES[t.dtype]}* const {self.names[id(t)]}" for t in self.graph.inputs]
        outputs = [f"{C_TYPES[t.dtype]}* const {self.names[id(t)]}" for t in self.graph.outputs]
        return ", ".join(inputs + outputs)

    def c_name(self, tensor: Tensor) -> str:
        """The tensor's array in C; a constant becomes a weight on first use."""
        if id(tensor) not in self.names:
            if tensor.data is not None:
                self.names[id(tensor)] = self.weight(tensor.name, tensor.data, tensor.dtype)
            else:
                self.names[id(tensor)] = self.unique(tensor.name)
        return self.names[id(tensor)]

    def unique(self, name: str) -> str:
        stem = "t_" + (re.sub(r"\W+", "_", name).strip("_") or "tensor")
        taken = {*self.names.values(), *(weight["c"] for weight in self.weights)}
        candidate, count = stem, 1
        while candidate in taken:
            count += 1
            candidate = f"{stem}_{count}"
        return candidate

    def weight(self, name: str, data: np.ndarray, dtype: str) -> str:
        stored = np.asarray(data, dtype)
        c_name = f"{self.name}_{self.unique(name)}"
        taken = {weight["c"] for weight in self.weights}
        while c_name in taken:
            c_name += "_"
        self.weights.append(
            {
                "c": c_name,
                "name": name,
                "type": C_TYPES[dtype],
                "shape": stored.shape,
                "size": stored.size,
                "nbytes": stored.nbytes,
                "body": c_array_body(stored),
            }
        )
        return c_name

    def constant(self, name: str, data: np.ndarray) -> str:
        """A table or the like as a weight; equal ones are kept once."""
        key = (str(data.dtype), data.tobytes())
        if key not in self.constants:
            self.constants[key] = self.weight(name, data, str(data.dtype))
        return self.constants[key]

    def step(self, node: Node, layer: LayerPlan | None) -> dict[str, Any]:
        out = self.c_name(node.output)
        comment = f"{type(node.op).__name__} -> {node.output.name}"
        if layer is not None:
            return {"comment": comment, "lines": self.run_layer(node, layer, out)}
        names = [self.c_name(tensor) for tensor in node.inputs]
        if is_integer(node):
            text = integer_call(node, names, out, self.constant)
        elif type(node.op) in CALLS:
            text = CALLS[type(node.op)](node, node.op, names, out)
        else:
            raise GraphError(f"{node.op} has no generic C form", where=node.source.module)
        return {"comment": comment, "lines": text.splitlines()}

    def run_layer(self, node: Node, layer: LayerPlan, out: str) -> list[str]:
        named = layer.op.named(node.inputs)
        data = {weight: tensor.data for weight, tensor in named.items()}
        weights = [
            self.weight(named[packed.name].name, packed.data, str(packed.data.dtype))
            for packed in pack_layer(layer, data)
        ]
        index = self.layer_count
        self.layer_count += 1
        if weights:
            self.layers.append({"name": f"{layer.name}_{index}", "weights": weights})
        table = self.table_index(layer)
        scratch = f"arena + {self.memory.scratch[index]}" if layer.scratch else "NULL"
        x = self.c_name(node.inputs[0])
        lines = []
        if layer.op.mode == "stream":
            state = f"state + {self.memory.state[index]}"
        else:
            state = f"arena + {self.memory.scratch[index] + layer.scratch_bytes}"
            lines.append(f"scanlet_zero((float*)(void*)({state}), {layer.state_bytes // 4});")
        lines.append(
            f"{self.name}_layers[{table}].run({x}, {out}, {layer.length}, "
            f"{f'{layer.name}_{index}_weights' if weights else 'NULL'}, {scratch}, {state});"
        )
        return lines

    def table_index(self, layer: LayerPlan) -> int:
        """Where the layer stands in the component's table: equal layers share an entry."""
        from scanlet.emit.parameters.custom_options import encode

        blocks = list(dict.fromkeys(encode(other) for other in self.plan.layers))
        return blocks.index(encode(layer))
