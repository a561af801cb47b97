"""The expression of every node of a captured network, computed node by node."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from scanlet.frontend.precision import doubled, float64
from scanlet.frontend.program import Program, execute
from scanlet.frontend.reroll import expression
from scanlet.frontend.reroll.joining import Joiner
from scanlet.frontend.reroll.operators import HANDLERS, LAYOUTS, SAME, short_name
from scanlet.frontend.reroll.terms import (
    Atom,
    Leaf,
    NotExpressibleError,
    Poly,
    States,
)

#: An expression of more elements than this is not written out.
MOST_ELEMENTS = 1 << 26

#: Operators that make constants from the shape of a value.
FILLS = frozenset(["zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"])
EMPTY = frozenset(["empty", "empty_like", "new_empty", "empty_permuted"])


@dataclass
class Pieces:
    """The results of split, chunk or unbind, by the call that makes them."""

    whole: Poly
    call: Any


@dataclass
class Written:
    """A tensor after writes of one step each into it, oldest first."""

    base: Poly
    axis: int
    parts: dict[int, Poly]


class Evaluator:
    """Expressions by node. `states` are the carried states in order of the steps."""

    def __init__(self, program: Program, env: Mapping[fx.Node, Any]) -> None:
        self.program = program
        self.env = env
        self.joiner = Joiner()
        self.states: dict[fx.Node, int] = {}
        self.state_atom: States | None = None
        self._values: dict[fx.Node, Any] = {}
        self._constants: dict[fx.Node, Any] = {}
        self.constants()

    def cut_at(self, states: Sequence[fx.Node]) -> None:
        """Take the carried states as atoms from now on."""
        shape = tuple(self.env[states[0]].shape)
        size = int(torch.Size(shape).numel())
        self.states = {node: step for step, node in enumerate(states)}
        self.state_atom = States((len(states), size), state=True)

    def constants(self) -> None:
        """Fold, in float64, what does not depend on the inputs."""
        known = self._constants
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                if node.name in self.program.constants:
                    known[node] = doubled(self.program.constants[node.name][1].detach())
            elif short_name(node) in FILLS:  # the value does not depend on what it is like
                known[node] = doubled(self.env[node])
            elif short_name(node) in EMPTY:
                known[node] = torch.zeros(self.env[node].shape, dtype=torch.float64)
            elif node.op != "output" and all(n in known for n in node.all_input_nodes):
                try:
                    with float64():
                        known[node] = execute(node, known, self.program.module)
                except Exception:  # whatever an operator may raise: then it is no constant
                    continue

    def constant(self, node: Any) -> Any:
        """The value of a node that does not depend on the inputs, of a number, or None."""
        if isinstance(node, fx.Node):
            return self._constants.get(node)
        return node

    def run_to(self, last: fx.Node) -> None:
        """Evaluate every node up to `last` in the order of the graph, so that nothing recurses."""
        for node in self.program.graph.nodes:
            known = node in self._values or node in self._constants or node in self.states
            if not known:
                self._values[node] = self._evaluate(node)
            if node is last:
                break

    def raw(self, node: fx.Node) -> Any:
        if node in self._constants:
            value = self._constants[node]
            return expression.of_constant(value) if isinstance(value, Tensor) else value
        if node in self.states:
            return self.state(node)
        if node not in self._values:
            self._values[node] = self._evaluate(node)
        return self._values[node]

    def __call__(self, value: Any) -> Poly:
        """The expression of a node or of a number."""
        if isinstance(value, fx.Node):
            value = self.raw(value)
        if isinstance(value, (bool, int, float)):
            return expression.of_constant(float(value))
        if isinstance(value, Written):
            return self._forced(value)
        if not isinstance(value, Poly):
            raise NotExpressibleError
        return value

    def state(self, node: fx.Node) -> Poly:
        assert self.state_atom is not None
        shape = tuple(self.env[node].shape)
        size = self.state_atom.shape[1]
        index = torch.arange(size).reshape(*shape, 1) + self.states[node] * size
        return expression.of_factor(Leaf(self.state_atom, index), shape)

    def update(self, node: fx.Node) -> Poly:
        """The expression of a carried state itself, by the one before it."""
        value = self._evaluate(node)
        if isinstance(value, Written):
            value = self._forced(value)
        assert isinstance(value, Poly)
        return value

    def atom(self, node: fx.Node) -> Poly:
        """The node as a value that is not looked into."""
        value = self.env.get(node)
        if not isinstance(value, Tensor):
            raise NotExpressibleError
        return expression.of_atom(Atom(tuple(value.shape), node, self._reads_state(node)))

    def _reads_state(self, node: fx.Node) -> bool:
        for source in node.all_input_nodes:
            if source in self.states:
                return True
            value = self._values.get(source)
            polys = [value] if isinstance(value, Poly) else []
            if isinstance(value, Pieces):
                polys = [value.whole]
            if isinstance(value, Written):
                polys = list(value.parts.values())
            if value is _NOTHING or any(expression.has_state(poly) for poly in polys):
                return True
        return False

    def _evaluate(self, node: fx.Node) -> Any:
        if node.op != "call_function":
            return self._atom_or_nothing(node)
        try:
            return self._call(node)
        except (NotExpressibleError, IndexError, TypeError, ValueError, RuntimeError):
            return self._atom_or_nothing(node)

    def _atom_or_nothing(self, node: fx.Node) -> Any:
        try:
            return self.atom(node)
        except NotExpressibleError:
            return _NOTHING

    def _call(self, node: fx.Node) -> Any:
        name = short_name(node)
        args: Any = node.args
        if node.target is operator.getitem:
            pieces = self.raw(args[0])
            if not isinstance(pieces, Pieces):
                raise NotExpressibleError
            return expression.relayout(pieces.whole, lambda x: pieces.call(x)[args[1]])
        value = self.env.get(node)
        if isinstance(value, Tensor) and value.numel() > MOST_ELEMENTS:
            raise NotExpressibleError
        if name in SAME:
            return self(args[0])
        if name in LAYOUTS:
            return self._layout(node)
        if name in ("stack", "cat", "concat", "concatenate"):
            how = torch.stack if name == "stack" else torch.cat
            named: Any = node.kwargs.get("dim", 0)
            axis = int(args[1] if len(args) > 1 else named)
            parts = [self(part) for part in args[0]]
            return self.joiner.join(parts, lambda arrays: how(arrays, axis))
        if name == "copy":
            return expression.spread(self(args[1]), tuple(self.env[node].shape))
        if name in ("select_scatter", "slice_scatter"):
            return self._written(node, name)
        handler = HANDLERS.get(name)
        if handler is None:
            raise NotExpressibleError
        return handler(self, node)

    def _layout(self, node: fx.Node) -> Any:
        name = short_name(node)
        first, *rest = node.args
        if any(isinstance(a, fx.Node) for a in (*rest, *node.kwargs.values())):
            raise NotExpressibleError
        target: Any = node.target

        def call(x: Tensor) -> Any:
            return target(x, *rest, **node.kwargs)

        value = self.raw(first)  # type: ignore[arg-type]
        if isinstance(value, Written) and name in ("select", "slice"):
            raise NotExpressibleError  # what a write replaces: never read
        whole = self(first)
        if LAYOUTS[name]:
            return Pieces(whole, call)
        return expression.relayout(whole, call)

    def _written(self, node: fx.Node, name: str) -> Written:
        args: Any = node.args
        base, part, *place = args
        axis = int(place[0]) if place else 0
        old = self.raw(base)
        axis %= self.env[node].ndim
        start = int(place[1]) if len(place) > 1 and place[1] is not None else 0
        start %= self.env[node].shape[axis]
        new = self(part)
        if name == "slice_scatter":
            if self.env[part].shape[axis] != 1:
                raise NotExpressibleError
            new = expression.relayout(new, lambda x: x.squeeze(axis))
        if isinstance(old, Written):
            if old.axis != axis or start in old.parts:
                raise NotExpressibleError
            old.parts[start] = new  # the older tensor is not read any more: its writes are ours
            return old
        return Written(self(base), axis, {start: new})

    def _forced(self, written: Written) -> Poly:
        count = written.base.shape[written.axis]
        if set(written.parts) != set(range(count)):
            raise NotExpressibleError
        parts = [written.parts[step] for step in range(count)]
        return self.joiner.join(parts, lambda arrays: torch.stack(arrays, written.axis))


#: The value of a node that has no expression at all, such as a tuple.
_NOTHING = object()
