"""A serial line that damages frames, and a program behind a pseudo-terminal as a board is."""

from __future__ import annotations

import os
import pty
import random
import select
import struct
import subprocess
import threading
import tty
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

MAGIC = b"SCNL"
HEADER_BYTES = 20


@dataclass(frozen=True)
class Faults:
    """Which share of the frames each thing happens to."""

    corrupt: float = 0.0  # one to three bits, anywhere
    drop: float = 0.0
    duplicate: float = 0.0
    truncate: float = 0.0  # the end is lost
    noise: float = 0.0  # bytes before it, some of them the beginning of a frame
    hold: float = 0.0  # it comes with the next frame, before or after that


class FaultInjector:
    """One direction of a line. `counts` says what was done to how many of its `frames`."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.faults = faults
        self.frames = 0
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._waiting = b""
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What arrives at the other end, of bytes that are whole frames and text between them."""
        self._waiting += data
        out = b""
        while self._waiting:
            start = self._waiting.find(MAGIC)
            if start != 0:
                out += self._waiting[: start if start > 0 else None]
                self._waiting = self._waiting[start:] if start > 0 else b""
                continue
            if len(self._waiting) < HEADER_BYTES:
                break
            (length,) = struct.unpack_from("<I", self._waiting, 12)
            end = HEADER_BYTES + (length + 4 if length else 0)
            if len(self._waiting) < end:
                break
            out += self._one(self._waiting[:end])
            self._waiting = self._waiting[end:]
        return out

    def _one(self, frame: bytes) -> bytes:
        self.frames += 1
        kind = self._kind()
        self.counts[kind] += 1
        held, self._held = self._held, b""
        if kind == "hold":
            self._held = frame
            return held
        out = self._damaged(frame, kind)
        return held + out if self._random.random() < 0.5 else out + held

    def _kind(self) -> str:
        chance = self._random.random()
        for field in fields(self.faults):
            chance -= getattr(self.faults, field.name)
            if chance < 0.0:
                return field.name
        return "untouched"

    def _damaged(self, frame: bytes, kind: str) -> bytes:
        pick = self._random
        if kind == "corrupt":
            data = bytearray(frame)
            for bit in pick.sample(range(8 * len(data)), pick.randint(1, 3)):
                data[bit // 8] ^= 1 << bit % 8
            return bytes(data)
        if kind == "drop":
            return b""
        if kind == "duplicate":
            return frame + frame
        if kind == "truncate":
            return frame[: pick.randrange(len(frame))]
        if kind == "noise":
            noise = pick.randbytes(pick.randint(1, 40))
            return noise + frame[: pick.choice((0, 0, 3, 4, 17))] + frame
        return frame


class Line:
    """A program whose standard input and output is a line, behind a pseudo-terminal.

    `port` is the name to open; `to_board` and `to_host` are what the line does to frames. The
    program is ended with the `with` statement.
    """

    def __init__(
        self, command: Sequence[str | Path], faults: Faults | None = None, seed: int = 0
    ) -> None:
        self.to_board = FaultInjector(faults or Faults(), 2 * seed)
        self.to_host = FaultInjector(faults or Faults(), 2 * seed + 1)
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._command = [*map(str, command)]
        self._start()

    def _start(self) -> None:
        self._end, self._ended = os.pipe()
        self._program = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        ends = (self._program.stdin.fileno(), self._program.stdout.fileno())
        self._threads = [
            threading.Thread(target=self._carry, args=arguments, daemon=True)
            for arguments in (
                (self._master, ends[0], self.to_board),
                (ends[1], self._master, self.to_host),
            )
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._stop()
        for descriptor in (self._master, self._slave):
            os.close(descriptor)

    def restart(self) -> None:
        """As a board's reset button does."""
        self._stop()
        self._start()

    def _stop(self) -> None:
        os.write(self._ended, b"x")
        for thread in self._threads:
            thread.join()
        self._program.kill()
        self._program.communicate()
        for descriptor in (self._end, self._ended):
            os.close(descriptor)

    def _carry(self, source: int, target: int, injector: FaultInjector) -> None:
        while True:
            ready, _, _ = select.select([source, self._end], [], [])
            if self._end in ready:
                return
            data = os.read(source, 65536)
            if not data:
                return
            data = injector.feed(data)
            while data:
                data = data[os.write(target, data) :]
