"""Stacking and concatenating expressions: the steps of a loop become one expression over time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from scanlet.frontend.reroll.expression import same_layer
from scanlet.frontend.reroll.terms import (
    ZERO,
    Apply,
    Atom,
    Factor,
    Join,
    Leaf,
    LinearAtom,
    NotExpressibleError,
    Poly,
    Shape,
    Term,
)


class Joiner:
    """Joins expressions of the same form; layers that steps repeat become one layer over time."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, ...], LinearAtom] = {}
        self._alive: list[Sequence[Atom]] = []

    def join(self, polys: Sequence[Poly], how: Join) -> Poly:
        """`how` is torch.stack or torch.cat over arrays, or a write of one into another.

        Raises NotExpressibleError unless all have the same terms (or none: zero).
        """
        probe = [torch.zeros(1, dtype=torch.int8).expand(p.shape) for p in polys]
        shape = tuple(how(probe).shape)
        full = [p for p in polys if p.terms]
        if not full:
            return Poly(shape, ())
        if any(len(p.terms) != len(full[0].terms) for p in full):
            raise NotExpressibleError
        terms = []
        for position in range(len(full[0].terms)):
            parts = [p.terms[position] if p.terms else None for p in polys]
            terms.append(self._term(parts, [p.shape for p in polys], how))
        return Poly(shape, tuple(terms))

    def _term(self, parts: Sequence[Term | None], shapes: list[Shape], how: Join) -> Term:
        given = [part for part in parts if part is not None]
        first = given[0]
        if any(p.width != first.width or len(p.factors) != len(first.factors) for p in given):
            raise NotExpressibleError
        full = [(*shape, first.width) for shape in shapes]
        coef: float | Tensor = first.coef
        zeros = len(given) < len(parts)
        plain = all(not isinstance(p.coef, Tensor) and p.coef == first.coef for p in given)
        leaves = any(isinstance(f, Leaf) for f in first.factors)
        if not plain or (zeros and not leaves):
            values = [
                torch.as_tensor(0.0 if p is None else p.coef, dtype=torch.float64).expand(size)
                for p, size in zip(parts, full, strict=True)
            ]
            coef = _each(values, how)
        factors = tuple(
            self._factor([None if p is None else p.factors[i] for p in parts], full, how)
            for i in range(len(first.factors))
        )
        return Term(coef, factors, first.width)

    def _factor(self, parts: Sequence[Factor | None], full: list[Shape], how: Join) -> Factor:
        given = [part for part in parts if part is not None]
        if all(isinstance(part, Leaf) for part in given):
            leaves = [part for part in parts if isinstance(part, Leaf)]
            atom, offsets = self._atom([leaf.atom for leaf in leaves])
            shifts = iter(offsets)
            indices = []
            for part, size in zip(parts, full, strict=True):
                if not isinstance(part, Leaf):
                    indices.append(torch.full(size, ZERO))
                    continue
                shift = next(shifts)
                moved = torch.where(part.index == ZERO, ZERO, part.index + shift)
                indices.append(moved if shift else part.index)
            return Leaf(atom, _each(indices, how))
        applies = [part for part in given if isinstance(part, Apply)]
        if len(applies) != len(parts) or any(a.name != applies[0].name for a in applies):
            raise NotExpressibleError
        inner = self.join([a.argument for a in applies], lambda arrays: _each(arrays, how))
        return Apply(applies[0].name, inner)

    def _atom(self, found: list[Atom]) -> tuple[Atom, list[int]]:
        """One atom for those of the parts, and what to add to each part's indices."""
        first = found[0]
        if all(atom is first for atom in found):
            return first, [0] * len(found)
        distinct = list({id(atom): atom for atom in found}.values())
        rows = [atom for atom in distinct if isinstance(atom, LinearAtom)]
        if len(rows) != len(distinct) or not all(same_layer(a, rows[0]) for a in rows):
            raise NotExpressibleError
        starts: dict[int, int] = {}
        count = 0
        for atom in rows:
            starts[id(atom)] = count
            count += atom.size
        return self._over_time(rows), [starts[id(atom)] for atom in found]

    def _over_time(self, rows: list[LinearAtom]) -> LinearAtom:
        key = tuple(map(id, rows))
        if key not in self._rows:
            self._alive.append(rows)  # so that ids stay unique
            one = rows[0]
            source = self.join([atom.source for atom in rows], torch.cat)
            self._rows[key] = LinearAtom(
                (source.shape[0], one.shape[1]),
                one.node,
                any(atom.state for atom in rows),
                source=source,
                weight=one.weight,
                bias=one.bias,
            )
        return self._rows[key]


def _each(arrays: list[Tensor], how: Join) -> Tensor:
    """`how` on arrays that have one trailing axis more than it expects."""
    width = arrays[0].shape[-1]
    if width == 1:
        return how([array[..., 0] for array in arrays]).unsqueeze(-1)
    return torch.stack([how([array[..., k] for array in arrays]) for k in range(width)], -1)
