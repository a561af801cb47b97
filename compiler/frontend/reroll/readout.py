"""What becomes of the state: y[t] = sum over n of C[t] h[t] + D u[t], gated, perhaps projected."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scanlet.frontend.reroll import expression
from scanlet.frontend.reroll.expression import on_arrays, relayout
from scanlet.frontend.reroll.recurrence import NotSelectiveError, Recurrence, columns
from scanlet.frontend.reroll.terms import (
    Apply,
    Atom,
    Factor,
    Leaf,
    LinearAtom,
    Poly,
    States,
    Term,
)


@dataclass
class Readout:
    """How the scan leaves the loop.

    `C` (rows, d_state) and `gate` (rows, d_inner; None without) are expressions over time; `steps`
    (rows,): the step of each row; `D` (d_inner,). `weight` (d_out, d_inner) and `bias` (d_out,):
    the projection behind, None without. The value has `shape`, which is (1, rows, d_out) reshaped,
    after a transposition of the last two axes if `transposed`.
    """

    C: Poly
    gate: Poly | None
    steps: Tensor
    D: Tensor
    weight: Tensor | None
    bias: Tensor | None
    shape: tuple[int, ...]
    transposed: bool


def recognise(value: Poly, scan: Recurrence) -> Readout:
    """Read `value`, a value of the program that depends on the states.

    Raises NotSelectiveError with what does not fit.
    """
    reason: NotSelectiveError | None = None
    for rows, transposed in _arrangements(value):
        try:
            return _read(rows, scan, value.shape, transposed)
        except NotSelectiveError as error:
            reason = reason or error
    raise reason or NotSelectiveError("its output has no axis of time and one of channels")


def _arrangements(value: Poly) -> list[tuple[Poly, bool]]:
    """(rows, features) of a value that keeps them somehow; True: features came first."""
    shape = value.shape
    if sum(n > 1 for n in shape) > 2 or len(shape) < 2:
        return []
    outer = 0 if len(shape) == 3 and shape[0] > 1 else len(shape) - 2
    size = (shape[outer], math.prod(shape) // shape[outer])
    return [
        (relayout(value, lambda x: x.reshape(size)), False),
        (relayout(value, lambda x: x.reshape(size).t()), True),
    ]


def _read(rows: Poly, scan: Recurrence, shape: tuple[int, ...], transposed: bool) -> Readout:
    weight = bias = None
    outer = _projection(rows)
    if outer is not None:
        rows, weight, bias = outer
    held = [t for t in rows.terms if any(isinstance(a, States) for a in _atoms(t))]
    direct = [t for t in rows.terms if t not in held]
    if len(held) != 1:
        raise NotSelectiveError(
            "its output does not read the state" if not held else "its output is a sum over states"
        )
    term = held[0]
    if not bool((torch.as_tensor(term.coef) == 1).all()):
        raise NotSelectiveError("its output has a constant factor besides C")
    leaves = [f for f in term.factors if isinstance(f, Leaf) and isinstance(f.atom, States)]
    rest = [f for f in term.factors if f not in leaves]
    if len(leaves) != 1:
        raise NotSelectiveError("the state is read through a function, or multiplied by itself")
    steps, channel, state = _places(leaves[0], scan)
    gate, c = _gate_and_c(rest)
    back = torch.argsort(channel)
    skip = torch.zeros(scan.d_inner, dtype=torch.float64)
    if direct:
        skip = _skip(direct, gate, scan, steps, channel, rows.shape)[back]
    return Readout(
        C=_stream(c, state, rows.shape),
        gate=None if gate is None else columns(_one_factor(gate, rows.shape), back),
        steps=steps,
        D=skip,
        weight=None if weight is None else weight[:, back],
        bias=bias,
        shape=shape,
        transposed=transposed,
    )


def _atoms(term: Term) -> list[Atom]:
    return expression.atoms(Poly((), (term,)))


def _projection(rows: Poly) -> tuple[Poly, Tensor, Tensor | None] | None:
    """What goes into the projection that `rows` are the output of, its weight and bias."""
    held = [t for t in rows.terms if t.factors]
    added = [t for t in rows.terms if not t.factors]
    if len(held) != 1 or len(held[0].factors) != 1 or held[0].width != 1:
        return None
    leaf = held[0].factors[0]
    if not isinstance(leaf, Leaf) or not isinstance(leaf.atom, LinearAtom) or held[0].coef != 1:
        return None
    atom = leaf.atom
    out = atom.shape[1]
    index = leaf.index[..., 0]
    row, column = index // out, index % out
    if not bool((row == row[:, :1]).all()) or not bool((column == column[:1]).all()):
        return None
    source = on_arrays(atom.source, lambda array: array[row[:, 0]])
    weight = atom.weight[column[0]]
    bias = None if atom.bias is None else atom.bias[column[0]]
    for term in added:
        values = torch.as_tensor(term.coef, dtype=torch.float64).expand(*rows.shape, 1)[..., 0]
        if not bool((values == values[:1]).all()):
            return None
        bias = values[0] if bias is None else bias + values[0]
    return source, weight, bias


def _places(leaf: Leaf, scan: Recurrence) -> tuple[Tensor, Tensor, Tensor]:
    """The step of each row, the channel of each column, the state along the contracted axis."""
    size = scan.d_inner * scan.d_state
    step, element = leaf.index // size, leaf.index % size
    channel, state = scan.channel[element], scan.state[element]
    if leaf.index.shape[1:] != (scan.d_inner, scan.d_state):
        raise NotSelectiveError("its output does not sum over the states of each channel")
    fits = (
        bool((step == step[:, :1, :1]).all())
        and bool((channel == channel[:1, :, :1]).all())
        and bool((state == state[:1, :1]).all())
        and len(torch.unique(channel)) == scan.d_inner
        and len(torch.unique(state)) == scan.d_state
    )
    if not fits:
        raise NotSelectiveError("its output mixes steps, channels or states")
    return step[:, 0, 0], channel[0, :, 0], state[0, 0]


def _gate_and_c(rest: list[Factor]) -> tuple[Factor | None, Factor]:
    gates = [f for f in rest if isinstance(f, Apply) and f.name == "silu" and _flat(f)]
    if len(gates) > 1 or len(rest) - len(gates) != 1:
        raise NotSelectiveError(
            f"its output is a product of the state and {len(rest)} factors, expected C and at "
            "most a gate silu(z)"
        )
    c = next(f for f in rest if f not in gates)
    return (gates[0] if gates else None), c


def _flat(factor: Factor) -> bool:
    """Whether a factor over (rows, channels, K) is the same along K."""
    if isinstance(factor, Leaf):
        return bool((factor.index == factor.index[..., :1]).all())
    terms = factor.argument.terms
    return all(_flat(expression.without_last(f)) for term in terms for f in term.factors)


def _one_factor(factor: Factor, shape: tuple[int, ...]) -> Poly:
    """A factor that is the same along K, as an expression over (rows, channels)."""
    whole = expression.of_factor(factor, shape, 2)
    return on_arrays(whole, lambda array: array[..., :1], shape)


def _stream(c: Factor, state: Tensor, shape: tuple[int, ...]) -> Poly:
    """C as an expression over (rows, states), in order of the states."""
    rows, channels = shape
    whole = expression.of_factor(c, shape, len(state))
    one = on_arrays(whole, lambda array: array[:, :1])
    everywhere = on_arrays(one, lambda x: x.expand(x.shape[0], channels, *x.shape[2:]))
    if not expression.same(whole, everywhere):
        raise NotSelectiveError("C differs from channel to channel")
    order = torch.argsort(state)
    return on_arrays(one, lambda array: array[:, 0, order].unsqueeze(-1), (rows, len(state)))


def _skip(
    direct: list[Term],
    gate: Factor | None,
    scan: Recurrence,
    steps: Tensor,
    channel: Tensor,
    shape: tuple[int, ...],
) -> Tensor:
    """D by column, from the term D u (gated as the state is)."""
    if len(direct) != 1 or direct[0].width != 1:
        raise NotSelectiveError("its output adds more than D u to the scan")
    factors = list(direct[0].factors)
    if gate is not None:
        plain = _one_factor(gate, shape)
        found = next(
            (f for f in factors if expression.same(expression.of_factor(f, shape), plain)), None
        )
        if found is None:
            raise NotSelectiveError("D u is added behind the gate")
        factors.remove(found)
    if len(factors) != 1:
        raise NotSelectiveError("what its output adds to the scan is not D u")
    u = on_arrays(scan.u, lambda array: array[steps][:, channel], shape)
    if not expression.same(expression.of_factor(factors[0], shape), u):
        raise NotSelectiveError("what its output adds to the scan is not D u")
    coef = torch.as_tensor(direct[0].coef, dtype=torch.float64).expand(*shape, 1)[..., 0]
    if not bool((coef == coef[:1]).all()):
        raise NotSelectiveError("D differs from step to step")
    return coef[0]
