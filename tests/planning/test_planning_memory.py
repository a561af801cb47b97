"""Placement of buffers in one arena."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scanlet.planning.memory import Lifetime, align, place


@st.composite
def lifetimes(draw) -> list[Lifetime]:
    count = draw(st.integers(1, 12))
    result = []
    for i in range(count):
        first = draw(st.integers(0, 8))
        last = draw(st.integers(first, 9))
        result.append(Lifetime(f"b{i}", draw(st.integers(1, 400)), first, last))
    return result


@given(lifetimes())
@settings(max_examples=200, deadline=None)
def test_buffers_alive_together_never_overlap(buffers):
    placement = place(buffers)
    spans = list(zip(buffers, placement.offsets, strict=True))
    for i, (a, at) in enumerate(spans):
        assert at % 16 == 0
        assert at + a.nbytes <= placement.nbytes
        for b, bt in spans[i + 1 :]:
            if a.overlaps(b):
                assert at + a.nbytes <= bt or bt + b.nbytes <= at


@given(lifetimes())
@settings(max_examples=100, deadline=None)
def test_the_total_lies_between_the_busiest_step_and_the_sum(buffers):
    total = place(buffers).nbytes
    busiest = max(
        sum(align(b.nbytes) for b in buffers if b.first <= step <= b.last) for step in range(10)
    )
    assert busiest <= total <= sum(align(b.nbytes) for b in buffers)


def test_a_chain_needs_two_neighbours_at_a_time():
    chain = [Lifetime(f"t{i}", 100, i, i + 1) for i in range(6)]
    assert place(chain).nbytes == 2 * align(100)
