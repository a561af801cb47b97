"""A running mean over a stream in integers: the executable definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Carried, Shape
from scanlet.graph.operators.fixed_point import saturate, scale
from scanlet.graph.operators.integer_ssm import running_mean
from scanlet.graph.operators.streaming import LONGEST_INTEGER_WINDOW, StreamOperator

#: log2 of what a factor of one stands for: input steps times 2^15 to output steps, times 2^32.
FACTOR_BITS = 17


@dataclass(frozen=True)
class IntegerStreamPool(StreamOperator):
    """`StreamPool` on stored integers, x (1, L, F) to y (1, F) of the same type.

    Sums are of x - input_zero_point; y is their mean times 2^15, times factor / 2^32, plus
    output_zero_point, saturated.
    """

    window: int
    activation: str  # "int8" | "int16"
    input_zero_point: int
    output_zero_point: int
    factor: int

    OPTIONS: ClassVar[tuple[str, ...]] = ("window",)

    def __post_init__(self) -> None:
        if not (0 <= self.window <= LONGEST_INTEGER_WINDOW and 0 <= self.factor < 1 << 31):
            raise GraphError(f"a window of {self.window} steps, factor {self.factor}")

    @property
    def pooled(self) -> bool:
        return True

    @property
    def counted(self) -> int:
        """The window in steps."""
        return self.window or LONGEST_INTEGER_WINDOW

    def infer_shape(self, *shapes: Shape) -> Shape:
        return (shapes[0][0], shapes[0][2])

    def advance(self, carried: Carried, *arrays: np.ndarray) -> np.ndarray:
        x = arrays[0][0].astype(np.int64) - self.input_zero_point
        mean = scale(running_mean(x, 15, self.counted, carried), self.factor)
        bits = 8 if self.activation == "int8" else 16
        return saturate(mean + self.output_zero_point, bits).astype(self.activation)
