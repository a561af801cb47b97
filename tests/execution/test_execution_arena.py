"""Measuring the arena."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from execution_models import build, mixer, sample, shell
from hypothesis import given, settings
from hypothesis import strategies as st

from scanlet.emit.flatbuffer import write_model
from scanlet.errors import ExecutionError
from scanlet.execution import arena_search
from scanlet.execution.arena_search import smallest_arena
from scanlet.execution.child import in_child
from scanlet.execution.host import HostInterpreter
from scanlet.planning.plan import make_plan
from scanlet.targets import find


@settings(max_examples=12, deadline=None)
@given(used=st.integers(1, 50), beyond=st.integers(0, 300), crash=st.booleans())
def test_the_smallest_arena_is_found_even_if_smaller_ones_crash(used, beyond, crash):
    smallest = 16 * (used + beyond)

    def works(size: int) -> bool:
        if crash and size < smallest and size % 32 == 0:
            os.kill(os.getpid(), signal.SIGSEGV)
        return size >= smallest

    assert smallest_arena(16 * used, works) == smallest


def test_a_child_that_dies_before_its_first_trial_is_an_error(monkeypatch):
    monkeypatch.setattr(arena_search, "in_child", lambda _action: (signal.SIGKILL, b""))
    with pytest.raises(ExecutionError, match="ended early"):
        smallest_arena(16, lambda _size: True)


def test_a_child_tells_its_signal_and_what_it_wrote():
    assert in_child(lambda descriptor: os.write(descriptor, b"hello")) == (0, b"hello")
    assert in_child(lambda _: os.abort()) == (signal.SIGABRT, b"")


@pytest.mark.parametrize("make", [shell, mixer], ids=["shell", "mixer"])
def test_the_measured_arena_is_the_smallest(make):
    graph = make()
    tflite, library = (write_model(graph), None) if make is shell else build(graph)
    needed = HostInterpreter(tflite, library).allocations.total
    interpreter = HostInterpreter(tflite, library, arena_bytes=needed)
    x = sample(graph)
    np.testing.assert_allclose(interpreter.run(x)[0], graph.evaluate([x])[0], atol=1e-5)
    assert needed % 16 == 0

    assert interpreter.works_with(needed)
    assert not interpreter.works_with(needed - 16)
    np.testing.assert_allclose(interpreter.run(x)[0], graph.evaluate([x])[0], atol=1e-5)


def test_a_larger_arena_changes_nothing():
    graph = mixer()
    tflite, library = build(graph)
    small, large = HostInterpreter(tflite, library), HostInterpreter(tflite, library, 1 << 20)
    assert small.allocations == large.allocations
    x = sample(graph)
    np.testing.assert_array_equal(small.run(x)[0], large.run(x)[0])


def test_too_small_an_arena_is_refused_with_both_sizes():
    tflite, library = build(mixer())
    needed = HostInterpreter(tflite, library).allocations.total
    for given_bytes in (0, 1, needed // 2, needed - 1):
        with pytest.raises(ExecutionError, match=f"{given_bytes} bytes is too small, {needed} are"):
            HostInterpreter(tflite, library, arena_bytes=given_bytes)


def test_the_parts_add_up():
    for tflite, library in ((write_model(shell()), None), build(mixer(30))):
        parts = HostInterpreter(tflite, library).allocations
        assert parts.head == parts.tensors + parts.scratch
        assert parts.tail == parts.persistent + parts.structures
        total = parts.head + parts.tail + parts.temporary
        assert parts.total == total
        assert min(parts.tensors, parts.structures) > 0
        assert min(parts.scratch, parts.temporary) >= 0


def test_scratch_and_state_are_those_of_the_plan():
    """Two tensors are alive at once beside the operator: its input and its output."""
    for mode in ("sequence", "stream"):
        graph = mixer(64, mode=mode)
        layer = make_plan(graph, find("generic")).layers[0]
        parts = HostInterpreter(*build(graph)).allocations
        assert parts.tensors == 64 * (5 + 4) * 4
        scratch = layer.scratch_bytes + (layer.state_bytes if mode == "sequence" else 0)
        operands = 64 * (4 + 4) * 4
        assert parts.head >= operands + scratch
        if mode == "stream":
            assert parts.persistent >= layer.state_bytes


def test_a_model_larger_than_the_first_arena_still_allocates(monkeypatch):
    tflite = write_model(shell(2000))
    expected = HostInterpreter(tflite, None).allocations
    first = 20_000  # room for the structures, not for the tensors
    assert expected.tail + expected.temporary < first < expected.head
    monkeypatch.setattr(HostInterpreter, "_first_arena_bytes", first)
    assert HostInterpreter(tflite, None).allocations == expected
