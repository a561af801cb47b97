"""Expressions over time as nodes of the program: what a loop did step by step, for all steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from scanlet.frontend.reroll import expression
from scanlet.frontend.reroll.absorption import NotAbsorbedError
from scanlet.frontend.reroll.entering import entry
from scanlet.frontend.reroll.evaluation import Evaluator
from scanlet.frontend.reroll.expression import on_arrays
from scanlet.frontend.reroll.splicing import Entry
from scanlet.frontend.reroll.terms import (
    ZERO,
    Atom,
    ConvAtom,
    Factor,
    Leaf,
    LinearAtom,
    Poly,
    States,
    Term,
)

aten = torch.ops.aten

FUNCTIONS: dict[str, Any] = {
    "abs": aten.abs.default,
    "exp": aten.exp.default,
    "log": aten.log.default,
    "relu": aten.relu.default,
    "rsqrt": aten.rsqrt.default,
    "sigmoid": aten.sigmoid.default,
    "silu": aten.silu.default,
    "softplus": aten.softplus.default,
    "sqrt": aten.sqrt.default,
    "tanh": aten.tanh.default,
}


class Writer:
    """Adds nodes ahead of `result`. Constants are called `prefix` and a number."""

    def __init__(self, evaluator: Evaluator, result: fx.Node, prefix: str) -> None:
        self._evaluator = evaluator
        self._result = result
        self._prefix = prefix
        self._program = evaluator.program
        self.env: dict[fx.Node, Any] = dict(evaluator.env)
        self._made: list[fx.Node] = []
        self._meta = {
            "nn_module_stack": result.meta.get("nn_module_stack") or {},
            "stack_trace": result.meta.get("stack_trace", ""),
        }

    # -- nodes -----------------------------------------------------------------------------------
    def call(self, target: Any, *args: Any) -> fx.Node:
        """A call of `target`, and its value."""
        with self._program.graph.inserting_before(self._result):
            node = self._program.graph.call_function(target, args)
        node.meta = dict(self._meta)
        self._made.append(node)
        with torch.no_grad():
            self.env[node] = target(*fx.node.map_arg(args, self.env.__getitem__))
        return node

    def constant(self, value: Tensor, name: str | None = None) -> fx.Node:
        """`value` as a constant of the program, in float32."""
        graph = self._program.graph
        called = f"{self._prefix}{name or f'scan_constant_{len(self._made)}'}"
        with graph.inserting_before(next(iter(graph.nodes))):
            node = graph.placeholder("rerolled_constant")
        self._made.append(node)
        self.env[node] = value.float().contiguous()
        self._program.constants[node.name] = (called, self.env[node])
        return node

    def withdraw(self) -> None:
        """Erase all that was added; nothing else may read it."""
        for node in reversed(self._made):
            self._program.graph.erase_node(node)
            self._program.constants.pop(node.name, None)
        self._made.clear()

    # -- expressions -----------------------------------------------------------------------------
    def write(self, poly: Poly) -> fx.Node:
        """The value of `poly` (rows, features) as a node of shape (1, rows, features).

        Raises NotAbsorbedError where it has no form that nodes over all steps can have.
        """
        for turned in (False, True):
            wanted = on_arrays(poly, lambda x: x.flip(0)) if turned else poly
            try:
                found = entry(wanted, self._result, self._evaluator)
            except NotAbsorbedError:
                continue
            node = self._read(found, poly.shape)
            return self.call(aten.flip.default, node, [1]) if turned else node
        if not poly.terms:
            raise NotAbsorbedError("one of its streams is zero")
        total = self._term(poly.terms[0], poly)
        for term in poly.terms[1:]:
            total = self.call(aten.add.Tensor, total, self._term(term, poly))
        return total

    def _read(self, found: Entry, shape: tuple[int, ...]) -> fx.Node:
        node = found.node
        if found.transposed:
            rank = self.env[node].ndim
            node = self.call(aten.transpose.int, node, rank - 2, rank - 1)
        return self._shaped(node, (1, *shape))

    def _shaped(self, node: fx.Node, shape: tuple[int, ...]) -> fx.Node:
        if tuple(self.env[node].shape) == shape:
            return node
        return self.call(aten.reshape.default, node, list(shape))

    def _term(self, term: Term, poly: Poly) -> fx.Node:
        if term.width != 1:
            raise NotAbsorbedError("one of its streams is a sum of products")
        coef = torch.as_tensor(term.coef, dtype=torch.float64).expand(*poly.shape, 1)[..., 0]
        alike = bool((coef == coef[:1]).all())
        gain = coef[0] if alike else coef.unsqueeze(0)
        if not term.factors:
            return self.constant(coef.unsqueeze(0) if len(poly.terms) == 1 else gain)
        node = self._factor(term.factors[0], poly)
        for factor in term.factors[1:]:
            node = self.call(aten.mul.Tensor, node, self._factor(factor, poly))
        if bool((coef == 1).all()):
            return node
        return self.call(aten.mul.Tensor, node, self.constant(gain))

    def _factor(self, factor: Factor, poly: Poly) -> fx.Node:
        if isinstance(factor, Leaf):
            return self._leaf(factor.atom, factor.index[..., 0])
        if factor.name not in FUNCTIONS:
            raise NotAbsorbedError(f"one of its streams goes through {factor.name} in each step")
        argument = self.write(expression.argument_of(factor, poly.shape))
        return self.call(FUNCTIONS[factor.name], argument)

    def _leaf(self, atom: Atom, index: Tensor) -> fx.Node:
        if isinstance(atom, LinearAtom):
            rows, columns = _axes(index // atom.shape[1], index % atom.shape[1])
            source = self.write(on_arrays(atom.source, lambda array: array[rows]))
            weight = self.constant(atom.weight[columns])
            if atom.bias is None:
                return self.call(aten.linear.default, source, weight)
            bias = self.constant(atom.bias[columns])
            return self.call(aten.linear.default, source, weight, bias)
        if isinstance(atom, (States, ConvAtom)) or atom.node is None or bool((index == ZERO).any()):
            raise NotAbsorbedError("one of its streams is no value of the program")
        return self._part(atom.node, atom.shape, index)

    def _part(self, node: fx.Node, shape: tuple[int, ...], index: Tensor) -> fx.Node:
        """Elements of the value of `node`, time in either axis."""
        if len(shape) < 2 or sum(n > 1 for n in shape) > 2:
            raise NotAbsorbedError("one of its streams has more axes than time and channels")
        outer = 0 if len(shape) == 3 and shape[0] > 1 else len(shape) - 2
        count = shape[outer]
        last = int(torch.tensor(shape).prod()) // count
        try:
            rows, columns = _axes(index // last, index % last)
            whole = self._shaped(node, (1, count, last))
        except NotAbsorbedError:
            rows, columns = _axes(index % last, index // last)
            whole = self._shaped(node, (1, count, last))
            whole = self.call(aten.transpose.int, whole, 1, 2)
        return self._select(self._select(whole, 1, rows), 2, columns)

    def _select(self, node: fx.Node, axis: int, places: Tensor) -> fx.Node:
        """Neighbouring elements along an axis, in either order."""
        first, count = int(places.min()), len(places)
        order = torch.arange(first, first + count)
        turned = count > 1 and torch.equal(places, order.flip(0))
        if not turned and not torch.equal(places, order):
            raise NotAbsorbedError("one of its streams reads steps or features out of order")
        if count != self.env[node].shape[axis]:
            node = self.call(aten.slice.Tensor, node, axis, first, first + count)
        return self.call(aten.flip.default, node, [axis]) if turned else node


def _axes(rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """The row of each step and the column of each feature, which must be independent."""
    if not bool((rows == rows[:, :1]).all()) or not bool((columns == columns[:1]).all()):
        raise NotAbsorbedError("one of its streams mixes steps and features")
    return rows[:, 0], columns[0]
