"""Values of a captured network as sums of products whose every element knows where it comes from.

An expression is a sum of terms; a term is a coefficient times factors, summed over one contracted
axis. A factor is an element of an atom (a value that is not looked into: an input, the output of a
linear layer, the carried state) or a function of another expression. Which element of the atom is
an array of flat indices, one for each element of the expression, so that views, slices,
permutations, stacks and writes into slices need no rules of their own: they are executed on the
indices. However a program is written, the same mathematics ends in the same expression.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, fx

Shape = tuple[int, ...]
Layout = Callable[[Tensor], Tensor]
Join = Callable[[list[Tensor]], Tensor]

#: Index of an element that is zero: padding, or what no write has reached.
ZERO = -1


class NotExpressibleError(Exception):
    """The value has no such form; whoever asked treats it as an atom of its own."""


@dataclass(eq=False)
class Atom:
    """A value that is not looked into. `shape`: its own; `state`: it depends on carried state."""

    shape: Shape
    node: fx.Node | None = None
    state: bool = False

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(eq=False)
class States(Atom):
    """The carried states of all steps, (steps, elements of one state)."""


@dataclass(eq=False)
class LinearAtom(Atom):
    """`source` (rows, in) times `weight` (out, in), plus `bias` (out,): shape (rows, out)."""

    source: Poly = field(kw_only=True)
    weight: Tensor = field(kw_only=True)
    bias: Tensor | None = field(kw_only=True, default=None)


@dataclass(eq=False)
class ConvAtom(Atom):
    """Depthwise convolution of `source` (channels, time), already padded: (channels, out time)."""

    source: Poly = field(kw_only=True)
    weight: Tensor = field(kw_only=True)  # (channels, taps)
    bias: Tensor | None = field(kw_only=True, default=None)
    dilation: int = field(kw_only=True, default=1)


@dataclass(eq=False)
class Leaf:
    """Elements of an atom; `index` has the shape of the term, or ZERO."""

    atom: Atom
    index: Tensor


@dataclass(eq=False)
class Apply:
    """A function of an expression, element by element; the argument has the term's shape."""

    name: str
    argument: Poly


Factor = Leaf | Apply


@dataclass(eq=False)
class Term:
    """coef * product of factors, summed over the last axis: arrays have shape (*shape, K)."""

    coef: float | Tensor
    factors: tuple[Factor, ...]
    width: int = 1  # K


@dataclass(eq=False)
class Poly:
    """A sum of terms of one shape; no terms is zero."""

    shape: Shape
    terms: tuple[Term, ...]

    @property
    def single(self) -> Term | None:
        return self.terms[0] if len(self.terms) == 1 else None
