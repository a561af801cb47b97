"""What the interpreter recorded while it allocated its arena."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scanlet.emit.model_description import ModelDescription
from scanlet.errors import ExecutionError
from scanlet.planning.memory import place
from scanlet.planning.tflm_arena import tensor_lifetimes

_TOTAL = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_KIND = re.compile(r"'(.+?)' used (\d+) bytes with alignment overhead")
PERSISTENT_KINDS = ("Persistent buffer data", "TfLiteTensor variable buffer data")


@dataclass(frozen=True)
class Allocations:
    """Bytes of the tensor arena on this machine (64-bit pointers, recording allocator).

    `total` is the smallest arena (a multiple of 16) that the interpreter was seen to work with.
    It is made of
    - `tensors`: the planner's peak for activations alone (greedy placement over lifetimes),
    - `scratch`: what scratch buffers add to that peak; they share memory with tensors,
    - `persistent`: what kernels keep between calls, SELECTIVE_SSM's stream state among it,
    - `structures`: the interpreter's own tables (tensors, nodes, planner, allocator),
    - `temporary`: what only allocation itself needs beyond these, and rounding.
    `head` (tensors and scratch) and `tail` (persistent and structures) are TFLM's own figures;
    `details` has the recorded bytes by kind, in TFLM's words.
    """

    total: int
    tensors: int
    scratch: int
    persistent: int
    structures: int
    temporary: int
    head: int
    tail: int
    details: dict[str, int]

    def describe(self) -> str:
        """One line for messages."""
        return (
            f"tensors {self.tensors:,}, scratch {self.scratch:,}, persistent {self.persistent:,}, "
            f"interpreter {self.structures + self.temporary:,} bytes"
        )


def used_bytes(printed: str) -> int:
    """The arena bytes in use, out of what the interpreter printed."""
    return _totals(printed)["total"]


def parse(printed: str, model: ModelDescription, *, total: int) -> Allocations:
    """Read what `print_allocations` printed; `total` is the arena size that was tried."""
    totals = _totals(printed)
    details = {kind: int(nbytes) for kind, nbytes in _KIND.findall(printed)}
    persistent = sum(details.get(kind, 0) for kind in PERSISTENT_KINDS)
    tensors = min(place(tensor_lifetimes(model)).nbytes, totals["head"])
    return Allocations(
        total=total,
        tensors=tensors,
        scratch=totals["head"] - tensors,
        persistent=persistent,
        structures=totals["tail"] - persistent,
        temporary=total - totals["head"] - totals["tail"],
        head=totals["head"],
        tail=totals["tail"],
        details=details,
    )


def _totals(printed: str) -> dict[str, int]:
    totals = {kind: int(nbytes) for kind, nbytes in _TOTAL.findall(printed)}
    if set(totals) != {"total", "head", "tail"}:
        raise ExecutionError(f"the interpreter printed no allocations: {printed!r}")
    return totals
