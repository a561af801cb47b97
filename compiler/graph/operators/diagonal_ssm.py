"""DIAGONAL_SSM: a time-invariant state-space model with a diagonal transition, channel by channel.

S4D of Gu et al. 2022 (arXiv:2206.11893), section 3, as the recurrence it is (equation 2 there); the
convolution with a kernel as long as the sequence, by which it is trained, is the same function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Carried, LayerOperator, Shape

#: Order of the weights among the node's inputs (after x); all are there.
DIAGONAL_WEIGHT_ORDER = (
    # (d_inner, d_state), with complex states (d_inner, d_state, 2): discrete transitions less one.
    # A state that lasts for thousands of steps has one close to one; of what it differs by, float32
    # then keeps all digits.
    "A_less_1",
    "C",  # the same shape; what B and the discretisation contribute is multiplied in
    "D",  # (d_inner,)
)


@dataclass(frozen=True)
class DiagonalSSM(LayerOperator):
    """x and y are (1, L, d_inner): h[e, n] += (A[e, n] - 1) h[e, n] + x[e];
    y[e] = Re(sum_n C[e, n] h[e, n]) + D[e] x[e].

    With `complex`, A, C and h are complex numbers, stored as pairs of floats. |A| <= 1 is not
    required, but a sequence long enough overflows otherwise. `reverse` reads time, and writes
    it, backwards.
    """

    weights: tuple[str, ...]
    d_inner: int
    d_state: int
    complex: bool = True
    reverse: bool = False
    mode: str = "sequence"

    SIZES: ClassVar[tuple[str, ...]] = ("d_inner", "d_state")
    OPTIONS: ClassVar[tuple[str, ...]] = ("complex", "reverse")

    def __post_init__(self) -> None:
        if self.weights != DIAGONAL_WEIGHT_ORDER:
            raise GraphError(f"DIAGONAL_SSM: weights {self.weights} are incomplete or out of order")

    @property
    def parts(self) -> int:
        """Floats of a state."""
        return 2 if self.complex else 1

    @property
    def state_count(self) -> int:
        return self.parts * self.d_inner * self.d_state

    @property
    def channel_count(self) -> int:
        return self.d_inner

    def multiplies(self, weights: dict[str, Shape]) -> tuple[int, int]:  # noqa: ARG002
        """None: there is no product with weights."""
        return 0, 0

    def infer_shape(self, *shapes: Shape) -> Shape:
        x = shapes[0]
        if len(x) != 3 or x[0] != 1 or x[1] < 1 or x[2] != self.d_inner:
            raise GraphError(f"DIAGONAL_SSM: input shape {x}, expected (1, L >= 1, {self.d_inner})")
        states = (self.d_inner, self.d_state, 2)[: 2 + int(self.complex)]
        expected: dict[str, Shape] = {"A_less_1": states, "C": states, "D": (self.d_inner,)}
        for name, shape in self.named(shapes).items():
            if shape != expected[name]:
                raise GraphError(f"DIAGONAL_SSM: {name} is {shape}, expected {expected[name]}")
        return x

    def run(
        self,
        x: np.ndarray,
        w: dict[str, np.ndarray],
        observe: object = None,  # noqa: ARG002
        carried: Carried | None = None,
    ) -> np.ndarray:
        """The output for x (B, L, d_inner), any B, and the weights by name.

        `carried` takes the state from call to call: empty at first, written by each.
        """
        carried = {} if carried is None else carried
        rate, c = self._numbers(w["A_less_1"]), self._numbers(w["C"])
        h = carried.get("h", np.zeros((x.shape[0], *rate.shape), rate.dtype))
        y = np.empty_like(x)
        steps = range(x.shape[1])
        for t in reversed(steps) if self.reverse else steps:
            h = h + (rate * h + x[:, t, :, np.newaxis])
            y[:, t] = (c * h).sum(axis=-1).real + w["D"] * x[:, t]
        carried["h"] = h
        return y.astype(x.dtype)

    def _numbers(self, stored: np.ndarray) -> np.ndarray:
        """The complex numbers that pairs of floats stand for; real ones as they are."""
        return stored[..., 0] + 1j * stored[..., 1] if self.complex else stored
