"""Pooling over a stream is chosen, fused where a mixer is next, and the same for all chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passes_builder import Builder, kinds

from scanlet.errors import InputError, UnsupportedModelError
from scanlet.graph import Graph
from scanlet.graph.operators import (
    Conv1d,
    Reduce,
    Reshape,
    SelectiveSSM,
    StreamHistory,
    StreamPool,
    Transpose,
)
from scanlet.passes import ExponentialMean, Stream, as_pooling, run

LENGTH = 12


def pooled(kind: str = "mean", *, norm: bool = False) -> Graph:
    b = Builder(1, LENGTH, 4)
    h = b.mixer(b.x)
    h = b.norm(h) if norm else h
    return b.done(b.linear(b(Reduce(kind, (1,)), h), 3))


def stream_of(graph: Graph, x: np.ndarray, chunk: int) -> np.ndarray:
    """The outputs of all chunks, one below the other."""
    carried: dict[str, Any] = {}
    rows = [
        graph.evaluate([x[:, start : start + chunk]], carried=carried)[0]
        for start in range(0, x.shape[1], chunk)
    ]
    return np.concatenate([row.reshape(-1, row.shape[-1]) for row in rows])


def test_a_mean_without_a_choice_is_refused_with_the_choices() -> None:
    with pytest.raises(UnsupportedModelError) as error:
        run(pooled(), mode="stream")
    for word in ("mean", "exponential:STEPS", "last", "chunk"):
        assert f'"{word}"' in str(error.value)


@pytest.mark.parametrize("chunk", [1, 3, 4, 12])
@pytest.mark.parametrize("norm", [False, True], ids=["fused", "apart"])
def test_a_running_mean_is_the_mean_of_all_steps_so_far(chunk: int, norm: bool) -> None:
    graph = pooled(norm=norm)
    legal = run(graph, mode="stream", how=Stream(chunk, "mean"))
    (mixer,) = kinds(legal, SelectiveSSM)
    assert (mixer.pooling == "running") != norm
    assert len(kinds(legal, StreamPool)) == norm
    x = np.random.default_rng(0).standard_normal((1, LENGTH, 4))
    (expected,) = graph.evaluate([x])
    np.testing.assert_allclose(stream_of(legal, x, chunk)[-1:], expected, rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_an_exponential_mean_follows_its_formula(steps: int) -> None:
    b = Builder(1, LENGTH, 4)
    graph = b.done(b.mean(b.mixer(b.x), 1))
    x = np.random.default_rng(1).standard_normal((1, LENGTH, 4))
    b = Builder(1, LENGTH, 4)
    (each,) = run(b.done(b.mixer(b.x)), mode="stream").evaluate([x])
    m = np.zeros(4)
    for t, step in enumerate(each[0], start=1):
        m += (step - m) / min(t, steps)
    legal = run(graph, mode="stream", how=Stream(3, as_pooling(f"exponential:{steps}")))
    np.testing.assert_allclose(stream_of(legal, x, 3)[-1], m, rtol=1e-6)


def test_last_and_chunk_carry_nothing() -> None:
    last = run(pooled(), mode="stream", how=Stream(4, "last"))
    assert kinds(last, SelectiveSSM)[0].pooling == "last"
    chunk = run(pooled("max"), mode="stream", how=Stream(4, "chunk"))
    assert kinds(chunk, Reduce)[0].kind == "max"


@settings(max_examples=15, deadline=None, derandomize=True)
@given(chunk=st.sampled_from([1, 2, 3, 4, 6]), rank=st.sampled_from([3, 4]), last=st.booleans())
def test_means_over_time_and_more_axes_of_any_layout(chunk: int, rank: int, last: bool) -> None:
    b = Builder(1, LENGTH, 4)
    h = b.unary("exp", b.mixer(b.x))
    if rank == 4:
        h = b(Reshape((1, LENGTH, 2, 2)), h)
    h = b(Transpose((0, *range(2, rank), 1)), h)
    axes = (1, rank - 1) if last else (rank - 1,)
    graph = b.done(b(Reduce("mean", axes), h))
    legal = run(graph, mode="stream", how=Stream(chunk, "mean"))
    x = np.random.default_rng(2).standard_normal((1, LENGTH, 4))
    (expected,) = graph.evaluate([x])
    carried: dict[str, Any] = {}
    for start in range(0, LENGTH, chunk):
        (y,) = legal.evaluate([x[:, start : start + chunk]], carried=carried)
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_a_mean_behind_slices_of_features_is_found_in_chunks_of_one_step() -> None:
    b = Builder(1, 1, 4)
    graph = b.done(b.mean(b.reshape(b.mixer(b.x), 1, 1, 2, 2), 1))
    with pytest.raises(UnsupportedModelError, match="has no end"):
        run(graph, mode="stream")


def test_causal_convolutions_carry_what_they_look_back_on() -> None:
    b = Builder(1, LENGTH, 4)
    h = b(Conv1d(stride=2, padding=(1, 0)), b.x, b.const(5, 3, 4), b.const(5))
    h = b(Conv1d(padding=(4, 0), dilation=2, groups=5), h, b.const(5, 3, 1))
    graph = b.done(b.mean(b.mixer(h), 1))
    x = np.random.default_rng(3).standard_normal((1, LENGTH, 4))
    (expected,) = graph.evaluate([x])
    for chunk in (2, 4, 12):
        legal = run(graph, mode="stream", how=Stream(chunk, "mean"))
        assert [op.steps for op in kinds(legal, StreamHistory)] == [1, 4]
        np.testing.assert_allclose(stream_of(legal, x, chunk)[-1:], expected, rtol=1e-6)
    with pytest.raises(InputError, match="multiple of 2"):
        run(graph, mode="stream", how=Stream(3, "mean"))


def unpooled() -> Graph:
    b = Builder(1, 6, 4)
    return b.done(b.mixer(b.x))


@pytest.mark.parametrize(
    ("graph", "how", "message"),
    [
        (pooled("max"), Stream(None, "mean"), "max over time"),
        (unpooled(), Stream(None, "mean"), "pools over time"),
        (pooled(), Stream(0, "mean"), "chunks of 0 steps"),
    ],
    ids=["a maximum", "nothing to pool", "no steps"],
)
def test_what_cannot_be_is_refused(graph: Graph, how: Stream, message: str) -> None:
    with pytest.raises((InputError, UnsupportedModelError), match=message):
        run(graph, mode="stream", how=how)


@pytest.mark.parametrize("choice", ["average", "exponential", "exponential:0", "exponential:x", 5])
def test_an_unknown_pooling_is_refused(choice: object) -> None:
    with pytest.raises(InputError, match="choose"):
        as_pooling(choice)


def test_poolings_are_written_as_text_or_as_an_object() -> None:
    assert as_pooling("exponential:50") == ExponentialMean(50) == as_pooling(ExponentialMean(50))
    with pytest.raises(InputError, match="65,535"):
        ExponentialMean(65_536)
