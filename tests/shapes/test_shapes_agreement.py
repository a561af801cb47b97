"""Models of random shapes: TFLM, the generic C library, NumPy and PyTorch agree on all of them.

What is accepted: integer mixers to the bit, other integer nodes by a step of their output, float
networks by PyTorch's own rounding error (docs/special-values.md). CI tries the corners and some
drawn shapes, always the same; `make soak` draws hundreds of others and prints the worst errors.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from shape_executions import check
from shape_models import Shape
from shape_strategies import CORNERS, FINDINGS, RELATIVES, SOAK, shapes, trials


@pytest.mark.parametrize("shape", [*CORNERS, *RELATIVES, *FINDINGS], ids=str)
def test_corners_agree(shape: Shape, tally) -> None:
    tally(shape, check(shape))


def test_drawn_shapes_agree(tally) -> None:
    @trials(SOAK or 30)
    @given(shape=shapes())
    def agree(shape: Shape) -> None:
        tally(shape, check(shape))

    agree()


def test_drawn_relatives_agree(tally) -> None:
    @trials(SOAK // 5 or 2)
    @given(shape=shapes(("mamba2", "diagonal")))
    def agree(shape: Shape) -> None:
        tally(shape, check(shape))

    agree()
