"""The cost of a step does not depend on the length, whole tiles or not."""

from __future__ import annotations

from examples.benchmark.networks import compile_network


def test_a_step_costs_about_the_same_in_a_short_and_in_a_longer_sequence(core: str) -> None:
    """Of ten steps, two to four are in a last tile that is not whole; 120 are whole tiles."""
    steps = [
        compile_network("KWS 100x40", length).measure(on=core)["instructions"] / length
        for length in (10, 120)
    ]
    assert 0.95 <= steps[0] / steps[1] <= 1.06
