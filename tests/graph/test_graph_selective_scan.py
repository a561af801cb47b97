"""The NumPy meaning of a selective scan without a mixer, against PyTorch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from scanlet.errors import GraphError
from scanlet.graph.operators import SCAN_WEIGHT_ORDER, SelectiveScan
from scanlet.nn.functional import selective_scan

INNER, STATES, LENGTH = 5, 3, 11


def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The streams side by side, A and D, in float64."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, LENGTH, 2 * INNER + 2 * STATES))
    x[..., INNER : 2 * INNER] = np.abs(x[..., INNER : 2 * INNER])
    return x, -rng.uniform(0.1, 3, (INNER, STATES)), rng.standard_normal(INNER)


def operator(**options: Any) -> SelectiveScan:
    return SelectiveScan(SCAN_WEIGHT_ORDER, INNER, STATES, **options)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_meaning_is_that_of_pytorch(reverse: bool) -> None:
    x, a, d = arrays()
    streams = torch.from_numpy(x[:, ::-1].copy() if reverse else x)
    u, delta, b, c = streams.split([INNER, INNER, STATES, STATES], dim=-1)
    want = selective_scan(u, delta, torch.from_numpy(a), b, c, torch.from_numpy(d)).numpy()
    got = operator(reverse=reverse).evaluate(x, a, d)
    np.testing.assert_allclose(got[:, ::-1] if reverse else got, want, rtol=1e-12, atol=1e-12)


def test_a_stream_continues_where_it_was() -> None:
    x, a, d = arrays()
    op, carried = operator(mode="stream"), {}
    parts = [op.advance(carried, part, a, d) for part in np.split(x, [2, 3, 7], axis=1)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), op.evaluate(x, a, d))


@pytest.mark.parametrize(
    "shapes",
    [
        ((1, 4, 15), (INNER, STATES), (INNER,)),
        ((2, 4, 16), (INNER, STATES), (INNER,)),
        ((1, 4, 16), (STATES, INNER), (INNER,)),
        ((1, 4, 16), (INNER, STATES), (STATES,)),
    ],
    ids=["features", "batch", "A", "D"],
)
def test_shapes_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    assert operator().infer_shape((1, 4, 16), (INNER, STATES), (INNER,)) == (1, 4, INNER)
    with pytest.raises(GraphError, match="SELECTIVE_SCAN"):
        operator().infer_shape(*shapes)


def test_weights_out_of_order_are_refused() -> None:
    with pytest.raises(GraphError, match="out of order"):
        SelectiveScan(("D", "A"), INNER, STATES)
