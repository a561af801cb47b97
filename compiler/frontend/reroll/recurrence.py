"""Is what a loop carries a selective scan? h[t] = exp(delta[t] A) h[t-1] + delta[t] B[t] u[t].

Gu and Dao 2023 (arXiv:2312.00752), algorithm 2. A state is a flat array of P = d_inner d_state
elements in whatever order the program keeps them; which channel and which state of it an element
is follows from the elements of delta, u and B that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scanlet.frontend.reroll import expression
from scanlet.frontend.reroll.expression import on_arrays
from scanlet.frontend.reroll.joining import Joiner
from scanlet.frontend.reroll.terms import (
    Apply,
    Atom,
    Factor,
    Leaf,
    NotExpressibleError,
    Poly,
    States,
    Term,
)


class NotSelectiveError(Exception):
    """Why a recurrence, or what surrounds it, is no selective scan, as one phrase."""


@dataclass
class Recurrence:
    """The scan's parts. Streams are expressions over (steps, channels) or (steps, states).

    `A`: (d_inner, d_state). `channel`, `state`: of each of the P elements of a carried state.
    """

    delta: Poly
    u: Poly
    B: Poly
    A: Tensor
    channel: Tensor
    state: Tensor

    @property
    def d_inner(self) -> int:
        return int(self.A.shape[0])

    @property
    def d_state(self) -> int:
        return int(self.A.shape[1])

    @property
    def steps(self) -> int:
        return self.delta.shape[0]


@dataclass
class _Step:
    """One step's parts: terms over (P,)."""

    rates: Tensor | None  # A by element
    factors: tuple[Factor, ...]  # delta first


def recognise(updates: list[Poly], atom: States, joiner: Joiner) -> Recurrence:
    """The scan whose carried states are `updates`, each by the one before it.

    Raises NotSelectiveError with what does not fit.
    """
    size = atom.shape[1]
    flat = [on_arrays(p, lambda a: a.reshape(size, a.shape[-1]), (size,)) for p in updates]
    steps = [_step(poly, k, size) for k, poly in enumerate(flat)]
    rates = next((s.rates for s in steps if s.rates is not None), None)
    if rates is None:
        raise NotSelectiveError("no step reads the state of the step before")
    for step in steps[1:]:
        if step.rates is None or not torch.equal(step.rates, rates):
            raise NotSelectiveError("the decay rates A differ from step to step")
    if steps[0].rates is None:  # no decay shows which factor is delta
        steps[0] = _first(flat[0], steps[1])
    try:
        parts = [
            joiner.join([expression.of_factor(s.factors[i], (size,)) for s in steps], torch.stack)
            for i in range(3)
        ]
    except NotExpressibleError:
        raise NotSelectiveError("the steps differ from each other") from None
    return _roles(parts[0], (parts[1], parts[2]), rates)


def _step(poly: Poly, k: int, size: int) -> _Step:
    held = [t for t in poly.terms if _term_has_state(t)]
    inputs = [t for t in poly.terms if not _term_has_state(t)]
    if not held and k == 0:
        return _Step(None, ())
    if len(held) != 1:
        raise NotSelectiveError(
            "the new state does not read the old one"
            if not held
            else "the new state takes the old one in more than one place"
        )
    rates, delta = _decay(held[0], k, size)
    if len(inputs) != 1:
        raise NotSelectiveError(
            "nothing enters the state"
            if not inputs
            else "what enters the state is a sum, not the product delta B u"
        )
    return _Step(rates, _entering(inputs[0], delta))


def _term_has_state(term: Term) -> bool:
    return expression.has_state(Poly((), (term,)))


def _decay(term: Term, k: int, size: int) -> tuple[Tensor, Factor]:
    """A by element and the factor delta of the term that holds the old state."""
    states: list[Leaf] = []
    others: list[Factor] = []
    for factor in term.factors:
        if isinstance(factor, Leaf) and isinstance(factor.atom, States):
            states.append(factor)
        elif isinstance(factor, Leaf) and factor.atom.state:
            kind = type(factor.atom).__name__
            raise NotSelectiveError(
                "the state goes through a matrix product, so that its elements mix"
                if kind == "LinearAtom"
                else f"the state goes through {_called(factor)}"
            )
        elif isinstance(factor, Apply) and expression.has_state(factor.argument):
            raise NotSelectiveError(f"the state goes through {factor.name}: it is not linear in it")
        else:
            others.append(factor)
    if len(states) != 1:
        raise NotSelectiveError("the state is multiplied by itself")
    if term.width != 1:
        raise NotSelectiveError("the elements of the state mix (a matrix product with the state)")
    if not torch.equal(states[0].index[..., 0], torch.arange(size) + (k - 1) * size):
        raise NotSelectiveError("the elements of the state mix, or an older state is read")
    if not _all_one(term.coef):
        raise NotSelectiveError("the decay has a constant factor besides exp(delta A)")
    if not others:
        raise NotSelectiveError("the decay does not depend on the input")
    exponents = [expression.applied(expression.of_factor(f, (size,)), "exp") for f in others]
    if any(exponent is None for exponent in exponents):
        named = [f"{f.name}(...)" if isinstance(f, Apply) else "a plain value" for f in others]
        raise NotSelectiveError(f"the decay is {' times '.join(named)}, not exp(delta A)")
    total = exponents[0]
    assert total is not None
    for exponent in exponents[1:]:
        assert exponent is not None
        total = expression.add(total, exponent)
    only = total.single
    if only is None or len(only.factors) != 1 or only.width != 1:
        raise NotSelectiveError("the decay's exponent is not the product of delta and a constant A")
    coef = torch.as_tensor(only.coef, dtype=torch.float64).expand(size, 1)[:, 0]
    return coef, only.factors[0]


def _called(factor: Leaf) -> str:
    node = factor.atom.node
    return str(node.target) if node is not None else "something else"


def _all_one(coef: float | Tensor) -> bool:
    return bool((torch.as_tensor(coef) == 1).all())


def _entering(term: Term, delta: Factor) -> tuple[Factor, ...]:
    """(delta, and the two other factors) of the term that enters the state."""
    if not _all_one(term.coef):
        raise NotSelectiveError("what enters the state has a constant factor besides delta B u")
    if term.width != 1:
        raise NotSelectiveError("what enters the state is a sum, not the product delta B u")
    found = next((f for f in term.factors if expression.same_factor(f, delta)), None)
    if found is None:
        raise NotSelectiveError(
            "what enters the state is not multiplied by the step size delta of the decay"
        )
    rest = tuple(f for f in term.factors if f is not found)
    if len(rest) != 2:
        raise NotSelectiveError(
            f"what enters the state is a product of {len(term.factors)} factors, not delta B u"
        )
    return (found, *rest)


def _first(poly: Poly, second: _Step) -> _Step:
    """The first step, which adds to nothing: its factors in the order of the second's."""
    if len(poly.terms) != 1 or len(poly.terms[0].factors) != 3:
        raise NotSelectiveError("the first state is not delta B u")
    left = list(poly.terms[0].factors)
    ordered = []
    for like in second.factors:
        found = next((f for f in left if _alike(f, like)), None)
        if found is None:
            raise NotSelectiveError("the first step differs from the others")
        left.remove(found)
        ordered.append(found)
    return _Step(None, tuple(ordered))


def _alike(a: Factor, b: Factor) -> bool:
    """The same value of another step: same function, and the same pattern of elements."""
    first, second = signature(a), signature(b)
    if type(a) is not type(b) or first.shape != second.shape:
        return False
    if isinstance(a, Apply) and isinstance(b, Apply) and a.name != b.name:
        return False
    if [type(x) for x in _factor_atoms(a)] != [type(x) for x in _factor_atoms(b)]:
        return False
    moved = second - first
    return bool((moved == moved[:1]).all())


def _factor_atoms(factor: Factor) -> list[Atom]:
    return expression.atoms(expression.of_factor(factor, ()))


def signature(factor: Factor) -> Tensor:
    """What each element of a factor over (P,) reads, elements and constants: (P, n)."""
    if isinstance(factor, Leaf):
        return factor.index.reshape(factor.index.shape[0], -1).double()
    parts = []
    for term in factor.argument.terms:
        if isinstance(term.coef, Tensor):
            parts.append(term.coef.reshape(term.coef.shape[0], -1))
        for inner in term.factors:
            parts.append(signature(inner))
    return torch.cat(parts, 1)


def labels(factor: Factor) -> Tensor:
    """A number for each distinct element of a factor over (P,), in order of its indices."""
    return torch.unique(signature(factor), dim=0, return_inverse=True)[1]


def only_factor(poly: Poly) -> Factor:
    term = poly.single
    assert term is not None
    return term.factors[0]


def row(poly: Poly, k: int) -> Poly:
    """Row k of an expression over (rows, columns)."""
    return on_arrays(poly, lambda array: array[k], poly.shape[1:])


def columns(poly: Poly, which: Tensor) -> Poly:
    """Some columns of an expression over (rows, columns)."""
    return on_arrays(poly, lambda array: array[:, which], (poly.shape[0], len(which)))


def _roles(delta: Poly, others: tuple[Poly, Poly], rates: Tensor) -> Recurrence:
    """Tell u from B: u has one element a channel, B one a state."""
    size = rates.shape[0]
    channel = labels(only_factor(row(delta, -1)))
    d_inner = int(channel.max()) + 1
    if size % d_inner:
        raise NotSelectiveError("delta does not have one value a channel")
    d_state = size // d_inner
    for b, u in (others, others[::-1]):
        state = labels(only_factor(row(b, -1)))
        of_u = labels(only_factor(row(u, -1)))
        pairs = len(torch.unique(torch.stack([channel, state], 1), dim=0))
        same = len(torch.unique(torch.stack([channel, of_u], 1), dim=0))
        fits = pairs == size and int(state.max()) + 1 == d_state
        if fits and same == d_inner and int(of_u.max()) + 1 == d_inner:
            break
    else:
        raise NotSelectiveError(
            "delta and u do not have one value a channel, or B not one value a state"
        )
    place = torch.empty(d_inner, d_state, dtype=torch.long)
    place[channel, state] = torch.arange(size)
    return Recurrence(
        columns(delta, place[:, 0]),
        columns(u, place[:, 0]),
        columns(b, place[0]),
        rates[place],
        channel,
        state,
    )
