"""torch's `scan` and `associative_scan` operators, written out step by step.

Their bodies are graphs of their own; written out, a scan is the same loop as one in Python, which
is recognised as such and rolled back. An associative operator may be applied from left to right.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.program import Program
from scanlet.frontend.source import origin

NAMES = ("scan", "associative_scan")


def _name(node: fx.Node) -> str:
    return str(getattr(node.target, "_name", "")) if node.op == "call_function" else ""


def write_out(program: Program, env: dict[fx.Node, Any]) -> None:
    """Replace every scan operator by its steps; `env` gives shapes, and gains those of the steps.

    Raises UnsupportedModelError for a scan over values of different lengths.
    """
    for node in list(program.graph.nodes):
        if isinstance(node.target, torch._ops.HigherOrderOperator) and _name(node) in NAMES:
            _Scan(program, env, node).write_out()


class _Scan:
    def __init__(self, program: Program, env: dict[fx.Node, Any], node: fx.Node) -> None:
        self.program, self.env, self.node = program, env, node
        body, *_ = node.args
        assert isinstance(body, fx.Node)
        module = operator.attrgetter(str(body.target))(program.module)
        self.body: fx.Graph = module.graph
        self.meta = {
            "nn_module_stack": node.meta.get("nn_module_stack") or {},
            "stack_trace": node.meta.get("stack_trace", ""),
        }
        self.module: fx.GraphModule = module

    def write_out(self) -> None:
        args: Any = self.node.args
        results = (
            self._scan(list(args[1]), list(args[2]), list(args[3] if len(args) > 3 else ()))
            if _name(self.node) == "scan"
            else self._associative(list(args[1]), list(args[2] if len(args) > 2 else ()))
        )
        for user in list(self.node.users):
            assert user.target is operator.getitem
            user.replace_all_uses_with(results[int(user.args[1])])  # type: ignore[arg-type]
            self.program.graph.erase_node(user)
        self.program.graph.erase_node(self.node)

    def _length(self, xs: Sequence[fx.Node]) -> int:
        lengths = {int(self.env[x].shape[0]) for x in xs}
        if len(lengths) != 1:
            raise UnsupportedModelError(
                f"a scan over values of lengths {sorted(lengths)}",
                where=origin(self.node).module or "the model itself",
                hint="scan over tensors of one length",
            )
        return lengths.pop()

    def _scan(self, carry: list[Any], xs: list[fx.Node], more: list[Any]) -> list[fx.Node]:
        """(init, xs over axis 0, further arguments) -> (carry, ys stacked on axis 0)."""
        count = len(carry)
        outputs: list[list[fx.Node]] = []
        for step in range(self._length(xs)):
            at = [self._call(torch.ops.aten.select.int, x, 0, step) for x in xs]
            results = self._step([*carry, *at, *more])
            carry = results[:count]
            outputs.append(results[count:])
        stacked = [self._stack(list(values)) for values in zip(*outputs, strict=True)]
        return [*carry, *stacked]

    def _associative(self, xs: list[fx.Node], more: list[Any]) -> list[fx.Node]:
        """xs over axis 0 -> all prefixes, stacked on axis 0; the first is the first x."""
        outputs: list[list[fx.Node]] = []
        for step in range(self._length(xs)):
            at = [self._call(torch.ops.aten.select.int, x, 0, step) for x in xs]
            outputs.append(self._step([*outputs[-1], *at, *more]) if outputs else at)
        return [self._stack(list(values)) for values in zip(*outputs, strict=True)]

    def _stack(self, values: list[fx.Node]) -> fx.Node:
        return self._call(torch.ops.aten.stack.default, values, 0)

    def _call(self, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        with self.program.graph.inserting_before(self.node):
            node = self.program.graph.call_function(target, args, kwargs)
        node.meta = dict(self.meta)
        with torch.no_grad():
            given = fx.node.map_arg((args, kwargs), lambda n: self.env[n])
            self.env[node] = target(*given[0], **given[1])
        return node

    def _step(self, arguments: list[Any]) -> list[Any]:
        """One copy of the body."""
        known: dict[fx.Node, Any] = {}
        given = iter(arguments)
        for node in self.body.nodes:
            if node.op == "placeholder":
                known[node] = next(given)
            elif node.op == "output":
                return list(fx.node.map_arg(node.args[0], known.__getitem__))
            elif node.op == "get_attr":
                known[node] = self._constant(str(node.target))
            else:
                args, kwargs = fx.node.map_arg((node.args, node.kwargs), known.__getitem__)
                known[node] = self._call(node.target, *args, **kwargs)
        raise AssertionError("a graph without output")

    def _constant(self, name: str) -> fx.Node:
        value = operator.attrgetter(name)(self.module)
        assert isinstance(value, Tensor)
        with self.program.graph.inserting_before(next(iter(self.program.graph.nodes))):
            node = self.program.graph.placeholder(f"scan_{name}".replace(".", "_"))
        self.program.constants[node.name] = (name, value)
        self.env[node] = value
        return node
