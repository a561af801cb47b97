"""Walk the captured nodes in order: fold what is constant, hand the rest to its handler."""

from __future__ import annotations

import operator
from typing import Any, cast

import torch
from torch import fx

from scanlet.errors import ScanletError, UnsupportedModelError
from scanlet.frontend.lowering.context import Context, Unavailable
from scanlet.frontend.lowering.registry import GENERAL_HINT, HANDLERS, HINTS
from scanlet.frontend.precision import doubled, float64
from scanlet.frontend.program import Program, is_assertion
from scanlet.frontend.source import Origin, origin
from scanlet.graph import Graph, Tensor
from scanlet.graph.operators import Reshape


def lower(program: Program, inputs: tuple[torch.Tensor, ...]) -> Graph:
    """The graph of a program whose mixers are opaque nodes.

    `inputs` fix shapes and types. Raises UnsupportedModelError for what no handler covers.
    """
    given = {
        name: Tensor(name, tuple(x.shape), "float32" if x.is_floating_point() else "int32")
        for name, x in zip(program.inputs, inputs, strict=True)
    }
    graph = Graph(list(given.values()), [], [])
    context = Context(graph)
    env: dict[fx.Node, Any] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            env[node] = given.get(node.name)
            if node.name in program.constants:
                path, tensor = program.constants[node.name]
                env[node] = tensor.detach()
                context.learn_path(env[node], path)
        elif node.op == "output":
            values = fx.node.map_arg(node.args[0], env.__getitem__)
            graph.outputs = _outputs(context, values)
        elif not is_assertion(node):
            env[node] = _lower_node(context, node, env, program.module)
    graph.remove_dead()
    graph.validate()
    return graph


def _lower_node(
    context: Context, node: fx.Node, env: dict[fx.Node, Any], module: fx.GraphModule
) -> Any:
    context.enter(str(node.target), node.name, origin(node))
    if node.op == "get_attr":
        return operator.attrgetter(str(node.target))(module)
    args = fx.node.map_arg(node.args, env.__getitem__)
    kwargs = dict(fx.node.map_arg(node.kwargs, env.__getitem__))
    if node.target is operator.getitem:
        return cast(Any, args[0])[args[1]]
    values = _leaves([args, kwargs])
    if not any(isinstance(value, (Tensor, Unavailable)) for value in values):
        return _fold(context, node, args, kwargs)
    name = str(node.target)
    handler = HANDLERS.get(name)
    if handler is None:
        short = name.split(".")[1] if name.count(".") else name
        raise context.refusal(
            f"operator {name} is not supported", HINTS.get(short.strip("_"), GENERAL_HINT)
        )
    try:
        return handler(context, *args, **kwargs)
    except ScanletError as error:
        if error.where is None:  # a graph operator's own shape check
            raise UnsupportedModelError(
                f"{error.message} ({name}, at {context.origin.describe()})",
                where=context.origin.module or "the model itself",
                hint=error.hint or GENERAL_HINT,
            ) from error
        raise
    except TypeError as error:
        # An argument of a newer or rarer overload that the handler does not list.
        raise UnsupportedModelError(
            f"operator {name} with arguments that are not supported: {error} "
            f"(at {context.origin.describe()})",
            where=context.origin.module or "the model itself",
            hint=GENERAL_HINT,
        ) from error


def _fold(context: Context, node: fx.Node, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute a node that depends on constants alone, in float64."""
    given = [value for value in _leaves([args, kwargs]) if isinstance(value, torch.Tensor)]
    if not callable(node.target):
        raise context.refusal(f"operator {node.target} is not supported")
    exact_args, exact_kwargs = torch.utils._pytree.tree_map(
        lambda value: doubled(value) if isinstance(value, torch.Tensor) else value, (args, kwargs)
    )
    try:
        with float64():
            result = node.target(*exact_args, **exact_kwargs)
    except Exception as error:
        raise UnsupportedModelError(
            f"constant operator {node.target} cannot be computed ahead: "
            f"{str(error).strip().splitlines()[0]} (at {context.origin.describe()})",
            where=context.origin.module or "the model itself",
        ) from error
    paths = [path for value in given if (path := context.path_of(value))]
    if paths and isinstance(result, torch.Tensor):
        context.learn_path(result, paths[0])
    return result


def _outputs(context: Context, values: Any) -> list[Tensor]:
    """The graph's outputs: distinct computed tensors."""
    context.enter("output", "output", Origin(""))
    outputs: list[Tensor] = []
    for value in values:
        if isinstance(value, Unavailable):
            raise context.refusal(f"the model returns {value.what}", "leave it out of the outputs")
        if isinstance(value, torch.Tensor):
            raise context.refusal("an output of the model does not depend on its inputs")
        if not isinstance(value, Tensor):
            continue  # None, or a number that PyTorch returns along
        given = any(value is tensor for tensor in (*context.graph.inputs, *outputs))
        outputs.append(context.emit(Reshape(value.shape), value) if given else value)
    return outputs


def _leaves(value: Any) -> list[Any]:
    return torch.utils._pytree.tree_leaves(value)
