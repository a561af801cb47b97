"""Arithmetic on expressions (`terms`): how they are made, laid out, added, multiplied, compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from scanlet.frontend.reroll.terms import (
    Apply,
    Atom,
    ConvAtom,
    Factor,
    Layout,
    Leaf,
    LinearAtom,
    NotExpressibleError,
    Poly,
    Shape,
    Term,
)

#: A product that would have more terms is not written out.
MOST_TERMS = 32


# -- making ------------------------------------------------------------------------------------
def of_atom(atom: Atom) -> Poly:
    index = torch.arange(atom.size).reshape(*atom.shape, 1)
    return Poly(atom.shape, (Term(1.0, (Leaf(atom, index),)),))


def of_constant(value: Tensor | float) -> Poly:
    if isinstance(value, (int, float)):
        return Poly((), (Term(float(value), ()),) if value else ())
    if not bool(value.any()):
        return Poly(tuple(value.shape), ())
    value = value.double()
    first = value.reshape(-1)[0]
    if bool((value == first).all()):
        return Poly(tuple(value.shape), (Term(float(first), ()),))
    return Poly(tuple(value.shape), (Term(value.unsqueeze(-1), ()),))


def of_factor(factor: Factor, shape: Shape, width: int = 1) -> Poly:
    return Poly(shape, (Term(1.0, (factor,), width),))


# -- arrays ------------------------------------------------------------------------------------
def on_arrays(poly: Poly, change: Layout, shape: Shape | None = None) -> Poly:
    """The expression after `change` of every array (*shape, K); the new shape is read off."""

    def of_term(term: Term) -> Term:
        coef = change(term.coef) if isinstance(term.coef, Tensor) else term.coef
        factors = tuple(of_factor_(f) for f in term.factors)
        width = _width(coef, factors, term.width)
        return Term(coef, factors, width)

    def of_factor_(factor: Factor) -> Factor:
        if isinstance(factor, Leaf):
            return Leaf(factor.atom, change(factor.index))
        return Apply(factor.name, of_argument(factor.argument))

    def of_argument(argument: Poly) -> Poly:
        """The argument's shape is (*shape, K) itself; its arrays have one axis more."""
        return on_arrays(argument, lambda array: _last_apart(array, change))

    terms = tuple(of_term(term) for term in poly.terms)
    if shape is None:
        probe = torch.zeros(1, dtype=torch.int8).expand(*poly.shape, 1)
        shape = tuple(change(probe).shape[:-1])
    return Poly(shape, terms)


def _last_apart(array: Tensor, change: Layout) -> Tensor:
    """`change` on an array with one trailing axis more than it expects."""
    if array.shape[-1] == 1:
        return change(array[..., 0]).unsqueeze(-1)
    return torch.stack([change(array[..., k]) for k in range(array.shape[-1])], -1)


def _width(coef: float | Tensor, factors: Sequence[Factor], otherwise: int) -> int:
    for factor in factors:
        array = factor.index.shape if isinstance(factor, Leaf) else factor.argument.shape
        return int(array[-1])
    return int(coef.shape[-1]) if isinstance(coef, Tensor) else otherwise


def relayout(poly: Poly, layout: Layout) -> Poly:
    """The expression behind a view, slice, permutation or the like of its tensor."""
    return on_arrays(poly, lambda array: _last_apart(array, layout))


def spread(poly: Poly, shape: Shape) -> Poly:
    """Broadcast to `shape`."""
    if poly.shape == shape:
        return poly

    def change(array: Tensor) -> Tensor:
        missing = len(shape) - (array.ndim - 1)
        array = array.reshape(*([1] * missing), *array.shape)
        return array.expand(*shape, array.shape[-1])

    return on_arrays(poly, change, shape)


# -- arithmetic --------------------------------------------------------------------------------
def add(a: Poly, b: Poly, alpha: float = 1.0) -> Poly:
    shape = tuple(torch.broadcast_shapes(a.shape, b.shape))
    terms = spread(a, shape).terms + spread(scale(b, alpha), shape).terms
    if len(terms) > MOST_TERMS:
        raise NotExpressibleError
    return Poly(shape, terms)


def scale(a: Poly, factor: float) -> Poly:
    if factor == 1:
        return a
    if factor == 0:
        return Poly(a.shape, ())
    return Poly(a.shape, tuple(Term(t.coef * factor, t.factors, t.width) for t in a.terms))


def multiply(a: Poly, b: Poly) -> Poly:
    shape = tuple(torch.broadcast_shapes(a.shape, b.shape))
    a, b = spread(a, shape), spread(b, shape)
    for gate, value in ((a, b), (b, a)):  # x sigmoid(x)
        inner = applied(gate, "sigmoid")
        if inner is not None and same(inner, value):
            return apply("silu", value)
    if len(a.terms) * len(b.terms) > MOST_TERMS:
        raise NotExpressibleError
    return Poly(shape, tuple(_product(s, t) for s in a.terms for t in b.terms))


def _product(s: Term, t: Term) -> Term:
    wide = s.width * t.width

    def left(array: Tensor) -> Tensor:
        if t.width == 1:
            return array
        return array.unsqueeze(-1).expand(*array.shape, t.width).reshape(*array.shape[:-1], wide)

    def right(array: Tensor) -> Tensor:
        if s.width == 1:
            return array
        apart = array.unsqueeze(-2).expand(*array.shape[:-1], s.width, t.width)
        return apart.reshape(*array.shape[:-1], wide)

    s, t = _rearranged(s, left), _rearranged(t, right)
    return Term(s.coef * t.coef, _gated(s.factors + t.factors), wide)


def _gated(factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
    """x sigmoid(x) among factors that were multiplied one by one becomes silu(x)."""
    for gate in factors:
        if not isinstance(gate, Apply) or gate.name != "sigmoid":
            continue
        term = gate.argument.single
        if term is None or len(term.factors) != 1 or not _is_one(term.coef) or term.width != 1:
            continue
        x = without_last(term.factors[0])
        found = next((f for f in factors if f is not gate and same_factor(f, x)), None)
        if found is not None:
            kept = tuple(f for f in factors if f is not gate and f is not found)
            return (*kept, Apply("silu", gate.argument))
    return factors


def without_last(factor: Factor) -> Factor:
    """A factor of an argument (whose own contracted axis is 1) as a factor of the outer term."""
    if isinstance(factor, Leaf):
        return Leaf(factor.atom, factor.index[..., 0])
    return Apply(factor.name, on_arrays(factor.argument, lambda array: array[..., 0, :]))


def _rearranged(term: Term, change: Layout) -> Term:
    whole = on_arrays(Poly((), (term,)), change, ()).terms[0]
    return Term(whole.coef, whole.factors, term.width)


def contract(poly: Poly, axes: Sequence[int], keepdim: bool = False) -> Poly:
    """The sum over `axes`."""
    axes = sorted(axis % len(poly.shape) for axis in axes)
    kept = tuple(n for i, n in enumerate(poly.shape) if i not in axes)
    count = math.prod(poly.shape[axis] for axis in axes)
    terms: list[Term] = []
    for term in poly.terms:
        if not term.factors:  # constants are summed
            value = torch.as_tensor(term.coef, dtype=torch.float64).expand(*poly.shape, term.width)
            terms += of_constant(value.sum(-1).sum(axes)).terms
            continue

        def change(array: Tensor) -> Tensor:
            last = array.ndim - 1 - len(axes)
            moved = array.movedim(axes, tuple(range(last, last + len(axes))))
            return moved.reshape(*kept, count * array.shape[-1])

        changed = on_arrays(Poly(poly.shape, (term,)), change, kept).terms[0]
        terms.append(Term(changed.coef, changed.factors, term.width * count))
    result = Poly(kept, tuple(terms))
    if keepdim:
        full = tuple(1 if i in axes else n for i, n in enumerate(poly.shape))
        result = relayout(result, lambda array: array.reshape(full))
    return result


def apply(name: str, argument: Poly) -> Poly:
    """A function element by element; log(1 + exp(x)) and its like become softplus."""
    if name == "log" and len(argument.terms) == 2:
        one = next((t for t in argument.terms if not t.factors and _is_one(t.coef)), None)
        rest = tuple(t for t in argument.terms if t is not one)
        if one is not None and (x := applied(Poly(argument.shape, rest), "exp")) is not None:
            return apply("softplus", x)
    if name == "log1p" and (x := applied(argument, "exp")) is not None:
        return apply("softplus", x)
    if any(term.width > 1 for term in argument.terms):
        raise NotExpressibleError
    if not argument.terms:
        raise NotExpressibleError
    inner = on_arrays(argument, lambda array: array.unsqueeze(-1), (*argument.shape, 1))
    return of_factor(Apply(name, inner), argument.shape)


def applied(poly: Poly, name: str) -> Poly | None:
    """x, where the expression is name(x) and nothing else."""
    term = poly.single
    if term is None or len(term.factors) != 1 or term.width != 1 or not _is_one(term.coef):
        return None
    factor = term.factors[0]
    if not isinstance(factor, Apply) or factor.name != name:
        return None
    return argument_of(factor, poly.shape)


def argument_of(factor: Apply, shape: Shape) -> Poly:
    """The argument of a factor of width 1, with the shape of the term."""
    return on_arrays(factor.argument, lambda array: array[..., 0, :], shape)


def _is_one(coef: float | Tensor) -> bool:
    return bool((torch.as_tensor(coef) == 1).all())


# -- comparison --------------------------------------------------------------------------------
def same(a: Poly, b: Poly) -> bool:
    """The same expression, whatever the order of its terms and factors."""
    if a is b:
        return True
    if a.shape != b.shape or len(a.terms) != len(b.terms):
        return False
    left = list(b.terms)
    for term in a.terms:
        found = next((other for other in left if _same_term(term, other)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _same_term(s: Term, t: Term) -> bool:
    if s.width != t.width or len(s.factors) != len(t.factors):
        return False
    if not torch.equal(*torch.broadcast_tensors(_double(s.coef), _double(t.coef))):
        return False
    left = list(t.factors)
    for factor in s.factors:
        found = next((other for other in left if same_factor(factor, other)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _double(coef: float | Tensor) -> Tensor:
    return torch.as_tensor(coef, dtype=torch.float64)


def same_factor(a: Factor, b: Factor) -> bool:
    if isinstance(a, Leaf) and isinstance(b, Leaf):
        return torch.equal(a.index, b.index) and same_atom(a.atom, b.atom)
    if isinstance(a, Apply) and isinstance(b, Apply):
        return a.name == b.name and same(a.argument, b.argument)
    return False


def same_atom(a: Atom, b: Atom) -> bool:
    """The same object, or the same layer on the same values."""
    if a is b:
        return True
    if type(a) is not type(b) or a.shape != b.shape:
        return False
    if isinstance(a, LinearAtom) and isinstance(b, LinearAtom):
        return same_layer(a, b) and same(a.source, b.source)
    if isinstance(a, ConvAtom) and isinstance(b, ConvAtom):
        return a.dilation == b.dilation and same_layer(a, b) and same(a.source, b.source)
    return False


def same_layer(a: LinearAtom | ConvAtom, b: LinearAtom | ConvAtom) -> bool:
    biases = (a.bias, b.bias)
    equal = biases[0] is biases[1] or (
        biases[0] is not None and biases[1] is not None and torch.equal(biases[0], biases[1])
    )
    return equal and (a.weight is b.weight or torch.equal(a.weight, b.weight))


# -- what is inside ----------------------------------------------------------------------------
def atoms(poly: Poly) -> list[Atom]:
    """The atoms of an expression, those within functions too, not those behind atoms."""
    found: list[Atom] = []
    for term in poly.terms:
        for factor in term.factors:
            if isinstance(factor, Leaf):
                found.append(factor.atom)
            else:
                found += atoms(factor.argument)
    return found


def has_state(poly: Poly) -> bool:
    return any(atom.state for atom in atoms(poly))
