"""A captured network as flat ATen nodes, with the values of its parameters beside it."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.precision import doubled

#: Assertions about shapes and types that hold for the captured model by construction.
ASSERTIONS = ("_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range")


@dataclass
class Program:
    """`graph` is a copy that may be edited; `constants` gives (path, tensor) by placeholder name.

    `inputs` are the placeholders of the user's inputs, in order.
    """

    module: fx.GraphModule
    constants: dict[str, tuple[str, Tensor]]
    inputs: list[str]

    @property
    def graph(self) -> fx.Graph:
        return self.module.graph

    def trace(self, *inputs: Tensor, exact: bool = False) -> dict[fx.Node, Any]:
        """The value of every node; with `exact` constants are taken in float64."""
        env: dict[fx.Node, Any] = {}
        given = dict(zip(self.inputs, inputs, strict=True))
        for node in self.graph.nodes:
            if node.op == "placeholder":
                env[node] = given.get(node.name)
                if node.name in self.constants:
                    tensor = self.constants[node.name][1].detach()
                    env[node] = doubled(tensor) if exact else tensor
            elif node.op == "output":
                env[node] = fx.node.map_arg(node.args[0], env.__getitem__)
            else:
                env[node] = execute(node, env, self.module)
        return env

    def run(self, *inputs: Tensor) -> Any:
        """What the network returns."""
        return list(self.trace(*inputs).values())[-1]

    def run64(self, *inputs: Tensor) -> Any:
        """What the network returns in float64; to be called within `precision.float64`."""
        return list(self.trace(*inputs, exact=True).values())[-1]


def execute(node: fx.Node, env: Mapping[fx.Node, Any], module: fx.GraphModule) -> Any:
    """Call one node on the values of `env`."""
    if node.op == "get_attr":
        return operator.attrgetter(str(node.target))(module)
    if is_assertion(node):
        return None
    args = fx.node.map_arg(node.args, env.__getitem__)
    kwargs = fx.node.map_arg(node.kwargs, env.__getitem__)
    assert callable(node.target)
    return node.target(*args, **kwargs)


def run_region(
    nodes: Sequence[fx.Node],
    known: Mapping[fx.Node, Any],
    result: fx.Node,
    module: fx.GraphModule,
) -> Any:
    """The value of `result`, from the values of everything that `nodes` read from outside."""
    env = dict(known)
    for node in nodes:
        env[node] = execute(node, env, module)
    return env[result]


def is_assertion(node: fx.Node) -> bool:
    return any(name in str(node.target) for name in ASSERTIONS)


def changes_in_place(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def needs_functional_form(node: fx.Node) -> bool:
    """Whether a node changes its input, or belongs to a vmap that has not been worked in."""
    return changes_in_place(node) or "predispatch" in str(getattr(node.target, "__module__", ""))


def aliases(values: Mapping[str, Any]) -> dict[str, str]:
    """The first name of each tensor, by every name: shared parameters have several."""
    first: dict[tuple, str] = {}
    names: dict[str, str] = {}
    for name, tensor in values.items():
        key: tuple = (name,)
        if isinstance(tensor, Tensor) and tensor.numel() and tensor.layout is torch.strided:
            key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        names[name] = first.setdefault(key, name)
    return names


def from_exported(exported: ExportedProgram) -> Program:
    """Take apart an ExportedProgram; its graph is copied."""
    signature = exported.graph_signature
    harmless = (OutputKind.USER_OUTPUT, OutputKind.USER_INPUT_MUTATION)
    changed = [s.target for s in signature.output_specs if s.kind not in harmless]
    if changed:
        raise UnsupportedModelError(
            f"the model changes {changed[0]} while it runs",
            where=str(changed[0]),
            hint="buffers are constants on the device; keep state in the mixer (mode='stream')",
        )
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    returned = graph.graph_copy(exported.graph_module.graph, copies)
    assert isinstance(returned, (tuple, list))
    graph.output(
        tuple(
            value
            for value, spec in zip(returned, signature.output_specs, strict=True)
            if spec.kind is OutputKind.USER_OUTPUT
        )
    )
    names = {node.name: twin.name for node, twin in copies.items()}  # "input" becomes "input_1"
    values: dict[str, Tensor] = {**exported.state_dict, **exported.constants}
    first_names = aliases(values)
    constants: dict[str, tuple[str, Tensor]] = {}
    inputs: list[str] = []
    for spec in signature.input_specs:
        name = names.get(getattr(spec.arg, "name", ""), "")
        if spec.kind is InputKind.USER_INPUT:
            if not isinstance(spec.arg, TensorArgument):
                raise UnsupportedModelError(
                    f"input {name!r} is not a tensor",
                    hint="export the model with tensors as its only inputs",
                )
            inputs.append(name)
        elif spec.target is not None and isinstance(values.get(spec.target), Tensor):
            constants[name] = (first_names[spec.target], values[spec.target])
    return Program(fx.GraphModule(exported.graph_module, graph), constants, inputs)
