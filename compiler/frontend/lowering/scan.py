"""The opaque operator that stands for a selective scan without a mixer."""

from __future__ import annotations

from scanlet.frontend.lowering.context import Context, Value
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import SCAN_WEIGHT_ORDER, SelectiveScan


@lowers("scanlet.selective_scan.default")
def selective_scan(context: Context, x: Value, *weights: Value) -> Tensor:
    # scanlet::selective_scan(Tensor x, Tensor A, Tensor D) -> Tensor
    named = []
    for name, weight in zip(SCAN_WEIGHT_ORDER, weights, strict=True):
        path = context.path_of(weight) or f"{context.name}.{name}"
        named.append(context.named(path, context.fixed(weight, name)))
    d_inner, d_state = named[0].shape
    op = SelectiveScan(SCAN_WEIGHT_ORDER, d_inner, d_state)
    return context.emit(op, context.activation(x), *named)
