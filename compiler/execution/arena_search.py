"""Find the smallest arena that works, although an arena that is too small may crash."""

from __future__ import annotations

import os
from collections.abc import Callable

from scanlet.errors import ExecutionError
from scanlet.execution.child import in_child

ALIGNMENT = 16
_TRIAL, _WORKED, _FAILED = b"?", b"+", b"-"


def smallest_arena(used: int, works: Callable[[int], bool]) -> int:
    """The smallest size from `used` bytes on (both multiples of 16) for which `works` says yes.

    TFLM's allocation needs a little room beyond what it keeps, and may follow a null pointer when
    that is missing. So the trials run in a child process, and a crash counts as a no.
    """
    low: int | None = None  # the largest size known to fail
    high: int | None = None  # the smallest size known to work
    while (size := _next_trial(used, low, high)) is not None:
        answers = _try_in_child(used, low, high, works)
        if not answers:  # the child died before it tried anything
            raise ExecutionError("the child process that measures the arena ended early")
        for size, worked in answers:
            low, high = (low, size) if worked else (size, high)
    assert high is not None
    return high


def _next_trial(used: int, low: int | None, high: int | None) -> int | None:
    """Doubling steps until one works, then halving; None when it is found."""
    if high is None:
        return used if low is None else used + max(ALIGNMENT, 2 * (low - used))
    if low is None or high - low <= ALIGNMENT:
        return None
    return align((low + high) // 2)


def _try_in_child(
    used: int, low: int | None, high: int | None, works: Callable[[int], bool]
) -> list[tuple[int, bool]]:
    """Let a child search until it is done or crashes; returns (size, worked) of each trial."""

    def search(descriptor: int) -> None:
        lowest, highest = low, high
        while (size := _next_trial(used, lowest, highest)) is not None:
            os.write(descriptor, b"%s%d\n" % (_TRIAL, size))
            worked = works(size)
            os.write(descriptor, _WORKED if worked else _FAILED)
            lowest, highest = (lowest, size) if worked else (size, highest)

    _, record = in_child(search)
    trials = []
    for entry in record.split(_TRIAL)[1:]:
        size_text, _, answer = entry.partition(b"\n")
        trials.append((int(size_text), answer == _WORKED))
    return trials


def align(nbytes: int) -> int:
    """Round up to a multiple of 16."""
    return (nbytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
