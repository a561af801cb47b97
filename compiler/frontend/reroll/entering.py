"""Which value of the program an expression over time is."""

from __future__ import annotations

from torch import Tensor, fx

from scanlet.frontend.reroll import expression
from scanlet.frontend.reroll.absorption import NotAbsorbedError
from scanlet.frontend.reroll.evaluation import Evaluator
from scanlet.frontend.reroll.splicing import Entry
from scanlet.frontend.reroll.terms import NotExpressibleError, Poly


def entry(source: Poly, result: fx.Node, evaluator: Evaluator) -> Entry:
    """The node ahead of `result` whose value is `source` (L, features).

    Raises NotAbsorbedError if there is none.
    """
    size = source.shape
    for node in evaluator.program.graph.nodes:
        if node is result:
            break
        value = evaluator.env.get(node)
        if not isinstance(value, Tensor) or evaluator.constant(node) is not None:
            continue
        shape = tuple(value.shape)
        if value.numel() != size[0] * size[1] or len(shape) < 2:
            continue
        for transposed in (False, True):
            try:
                poly = evaluator(node)
                rows = _rows(poly, size, transposed)
            except (NotExpressibleError, RuntimeError):
                continue
            if expression.same(rows, source):
                return Entry(node, transposed)
    raise NotAbsorbedError("no single value of the program enters it")


def _rows(poly: Poly, size: tuple[int, ...], transposed: bool) -> Poly:
    if transposed:
        return expression.relayout(poly, lambda x: x.reshape(size[::-1]).t())
    return expression.relayout(poly, lambda x: x.reshape(size))
