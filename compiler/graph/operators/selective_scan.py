"""SELECTIVE_SCAN: the selective scan alone, without the projections and the gate of a mixer.

Gu and Dao 2023 (arXiv:2312.00752), algorithm 2, lines 5 and 6 (S6); what makes its four streams is
left to ordinary operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Carried, LayerOperator, Shape

#: Order of the weights among the node's inputs (after x); all are there.
SCAN_WEIGHT_ORDER = (
    "A",  # (d_inner, d_state), not above zero
    "D",  # (d_inner,)
)


@dataclass(frozen=True)
class SelectiveScan(LayerOperator):
    """x is (1, L, 2 d_inner + 2 d_state), the streams u, delta, B and C side by side; y is
    (1, L, d_inner): h[e, n] = exp(delta[e] A[e, n]) h[e, n] + delta[e] B[n] u[e];
    y[e] = sum_n C[n] h[e, n] + D[e] u[e].

    delta is the step size itself (softplus is applied) and not negative. `reverse` reads time, and
    writes it, backwards.
    """

    weights: tuple[str, ...]
    d_inner: int
    d_state: int
    reverse: bool = False
    mode: str = "sequence"

    SIZES: ClassVar[tuple[str, ...]] = ("d_inner", "d_state")
    OPTIONS: ClassVar[tuple[str, ...]] = ("reverse",)

    def __post_init__(self) -> None:
        if self.weights != SCAN_WEIGHT_ORDER:
            raise GraphError(
                f"SELECTIVE_SCAN: weights {self.weights} are incomplete or out of order"
            )

    @property
    def in_features(self) -> int:
        """Features of the four streams together."""
        return 2 * self.d_inner + 2 * self.d_state

    @property
    def state_count(self) -> int:
        return self.d_inner * self.d_state

    @property
    def channel_count(self) -> int:
        return self.d_inner

    def multiplies(self, weights: dict[str, Shape]) -> tuple[int, int]:  # noqa: ARG002
        """None: there is no product with weights."""
        return 0, 0

    def infer_shape(self, *shapes: Shape) -> Shape:
        x = shapes[0]
        if len(x) != 3 or x[0] != 1 or x[1] < 1 or x[2] != self.in_features:
            raise GraphError(
                f"SELECTIVE_SCAN: input shape {x}, expected (1, L >= 1, {self.in_features})"
            )
        expected: dict[str, Shape] = {"A": (self.d_inner, self.d_state), "D": (self.d_inner,)}
        for name, shape in self.named(shapes).items():
            if shape != expected[name]:
                raise GraphError(f"SELECTIVE_SCAN: {name} is {shape}, expected {expected[name]}")
        return (1, x[1], self.d_inner)

    def run(
        self,
        x: np.ndarray,
        w: dict[str, np.ndarray],
        observe: object = None,  # noqa: ARG002
        carried: Carried | None = None,
    ) -> np.ndarray:
        """The output for x (B, L, in_features), any B, and the weights by name.

        `carried` takes the state from call to call: empty at first, written by each.
        """
        carried = {} if carried is None else carried
        ends = np.cumsum([self.d_inner, self.d_inner, self.d_state])
        u, delta, b, c = np.split(x, ends, axis=-1)
        h = carried.get("h", np.zeros((x.shape[0], self.d_inner, self.d_state), x.dtype))
        y = np.empty_like(u)
        steps = range(x.shape[1])
        for t in reversed(steps) if self.reverse else steps:
            entering = (delta[:, t] * u[:, t])[..., np.newaxis] * b[:, t, np.newaxis]
            h = np.exp(delta[:, t, :, np.newaxis] * w["A"]) * h + entering
            y[:, t] = (h * c[:, t, np.newaxis]).sum(axis=-1) + w["D"] * u[:, t]
        carried["h"] = h
        return y.astype(x.dtype)
