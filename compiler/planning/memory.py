"""Where buffers lie in one arena: greedy placement by size over lifetimes.

The same algorithm as TFLM's greedy planner (Pisarchyk and Lee 2020, "Efficient memory management
for deep neural net inference", greedy by size), so that one model serves both paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 16


@dataclass(frozen=True)
class Lifetime:
    """A buffer of `nbytes` that must exist from step `first` to step `last`, both included."""

    name: str
    nbytes: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Placement:
    """Offsets in bytes (16-byte aligned) in the order of `buffers`, and the bytes in all."""

    buffers: tuple[Lifetime, ...]
    offsets: tuple[int, ...]
    nbytes: int

    def offset(self, name: str) -> int:
        for buffer, offset in zip(self.buffers, self.offsets, strict=True):
            if buffer.name == name:
                return offset
        raise KeyError(name)


def place(buffers: Sequence[Lifetime]) -> Placement:
    """Place every buffer so that buffers alive at the same step never overlap."""
    # Of equals, TFLM places those that were announced last first.
    order = sorted(range(len(buffers)), key=lambda i: (-align(buffers[i].nbytes), -i))
    placed: list[tuple[int, int]] = []  # (offset, index), sorted by offset
    offsets = [0] * len(buffers)
    for index in order:
        size = align(buffers[index].nbytes)
        offset = 0
        for other_offset, other in placed:
            if not buffers[index].overlaps(buffers[other]):
                continue
            if other_offset >= offset + size:
                break
            offset = max(offset, other_offset + align(buffers[other].nbytes))
        offsets[index] = offset
        placed.append((offset, index))
        placed.sort()
    total = max((o + align(b.nbytes) for o, b in zip(offsets, buffers, strict=True)), default=0)
    return Placement(tuple(buffers), tuple(offsets), total)


def align(nbytes: int) -> int:
    """Round up to the arena's alignment."""
    return (nbytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
