"""The serial server as a target: scripts of raw bytes, frames and silences."""

from __future__ import annotations

from pathlib import Path

from fuzz_engine import FuzzTarget

from scanlet.execution.device.frames import MAGIC, Frame
from scanlet.resources import resource_dir

HERE = Path(__file__).parent
SERIAL = resource_dir("templates") / "serial"

HELLO, INFER, RESET, STATISTICS, SELF_TEST = range(1, 6)


def scripted(kind: int, sequence: int, session: int, payload: bytes = b"") -> bytes:
    """A step of the harness's script that is a frame."""
    return bytes([1, kind, sequence, session, 0]) + payload


def raw(data: bytes) -> bytes:
    """Steps that are these bytes."""
    pieces = [data[i : i + 63] for i in range(0, len(data), 63)]
    return b"".join(bytes([4 * len(piece)]) + piece for piece in pieces)


INPUTS = bytes(range(24))
SEEDS = (
    scripted(HELLO, 0, 1) + scripted(INFER, 1, 1, INPUTS) * 2 + scripted(RESET, 2, 1),
    scripted(HELLO, 255, 1) + scripted(INFER, 0, 1, INPUTS) + scripted(STATISTICS, 1, 1),
    scripted(HELLO, 3, 1) + scripted(SELF_TEST, 4, 1) * 2 + scripted(HELLO, 3, 2),
    scripted(HELLO, 0, 1) + raw(Frame(INFER, 1, 257, INPUTS).encoded()) + b"\x03",
    scripted(HELLO, 0, 1) + raw(Frame(INFER, 1, 257, INPUTS).encoded()[:30]) + b"\x03",
    raw(Frame(HELLO, 3, 0).encoded()[:11] + Frame(HELLO, 2, 9).encoded()),
    bytes([2, INFER, 1, 1, 24, 0]) + raw(INPUTS),
)
TARGET = FuzzTarget(
    "serial",
    (HERE / "serial_fuzzer.cc", *sorted(SERIAL.glob("*.c"))),
    includes=(SERIAL,),
    seeds=SEEDS,
    words=(MAGIC, MAGIC + b"\x02", *(Frame(kind, 1, 257).encoded() for kind in range(1, 6))),
    longest=512,
)
