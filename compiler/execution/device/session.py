"""Requests over a line that loses and damages frames: each is carried out once, and answered.

Stop-and-wait: a request is sent again, unchanged, until its answer is there. The board knows the
number of the last request and answers a repeated one without carrying it out again.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from scanlet.errors import DeviceError
from scanlet.execution.device.frames import (
    ANSWER,
    ERROR,
    VERSION,
    Damage,
    ErrorCode,
    Frame,
    FrameReader,
    Request,
)
from scanlet.execution.device.link import Link

#: Seconds without an answer before a request is sent again; doubled each time.
TIMEOUT = 1.0
LONGEST_WAIT = 8.0
#: How often a request is sent before the board counts as gone. A board that has just been reset
#: runs its self-test first.
TRIES = 8


@dataclass
class LinkStatistics:
    """What happened on the line: requests, and how often one was sent again and why."""

    requests: int = 0
    sent_again: int = 0
    timeouts: int = 0
    refused_as_damaged: int = 0
    damaged_answers: int = 0
    stale_answers: int = 0


class _LostError(Exception):
    """The request or its answer was lost."""


class Session:
    """A conversation with a board.

    Args:
        link: the line; closed with the session.
        timeout: seconds without an answer before a request is sent again, and longer where an
            answer took longer before.
        tries: how often a request is sent. Raises DeviceError when they are used up.
    """

    def __init__(
        self, link: Link, *, where: str = "", timeout: float = TIMEOUT, tries: int = TRIES
    ) -> None:
        self.statistics = LinkStatistics()
        self._link, self._where = link, where
        self._timeout, self._tries = timeout, tries
        self._reader = FrameReader()
        self._session = secrets.randbelow(0xFFFFFFFF) + 1
        self._sequence = secrets.randbelow(0x10000)
        self._longest = 0.0
        self._other_version = False

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        self._link.close()

    def request(self, kind: Request, payload: bytes = b"", answer_bytes: int = 0) -> bytes:
        """The answer's payload, about `answer_bytes` long.

        Raises DeviceError if the board refuses the request, or does not answer in any try.
        """
        self._sequence = (self._sequence + 1) % 0x10000
        data = Frame(kind, self._session, self._sequence, payload).encoded()
        on_the_line = 10.0 * (len(data) + answer_bytes) / (self._link.baudrate or 1e9)
        self.statistics.requests += 1
        for attempt in range(self._tries):
            self.statistics.sent_again += attempt > 0
            wait = max(self._timeout, 2.0 * self._longest) * 2.0**attempt
            begin = time.monotonic()
            self._link.write(data)
            try:
                answer = self._answer(kind, begin + on_the_line + min(wait, LONGEST_WAIT))
            except _LostError:
                continue
            self._longest = max(self._longest, time.monotonic() - begin - on_the_line)
            return answer
        raise self._silent()

    def _answer(self, kind: Request, deadline: float) -> bytes:
        """The payload of the answer. Raises _LostError, and DeviceError if the board refuses."""
        while (left := deadline - time.monotonic()) > 0.0:
            answer = self._taken(kind, self._reader.feed(self._link.read(left)))
            if answer is not None:
                return answer
        answer = self._taken(kind, self._reader.forget())
        if answer is not None:
            return answer
        self.statistics.timeouts += 1
        raise _LostError

    def _taken(self, kind: Request, found: list[Frame | Damage]) -> bytes | None:
        """The answer among frames that arrived, if it is there."""
        again = False
        for one in found:
            if isinstance(one, Damage):
                self._other_version |= one is Damage.VERSION
                self.statistics.damaged_answers += 1
                again = True
            elif one.kind == ERROR and one.session == 0:
                again |= self._is_damage(one)
            elif (one.session, one.sequence) != (self._session, self._sequence):
                self.statistics.stale_answers += 1
            elif one.kind == kind | ANSWER:
                return one.payload
            elif one.kind == ERROR:
                if not self._is_damage(one):
                    raise self._refused(kind, one.payload)
                again = True
        if again:
            raise _LostError
        return None

    def _is_damage(self, answer: Frame) -> bool:
        damaged = answer.payload[:1] == bytes([ErrorCode.DAMAGED])
        self.statistics.refused_as_damaged += damaged
        return damaged

    def _refused(self, kind: Request, payload: bytes) -> DeviceError:
        code, said = payload[:1], payload[1:].decode("utf-8", "replace")
        hint = "generate the project again with this scanlet, and flash it"
        if code == bytes([ErrorCode.SESSION]):
            hint = "the board restarted, or another program spoke with it: connect again"
        elif code == bytes([ErrorCode.FAILED]):
            hint = "what the board prints on its console says more"
        return DeviceError(f"the board refuses {kind.name}: {said}", where=self._where, hint=hint)

    def _silent(self) -> DeviceError:
        if self._other_version:
            return DeviceError(
                f"the board speaks another version of the protocol than {VERSION}",
                where=self._where,
                hint="generate the project again with this scanlet, and flash it",
            )
        said = [line.strip() for line in self._reader.text.splitlines() if line.strip()]
        heard = f"; it printed {said[-1]!r}" if said else ""
        return DeviceError(
            f"no answer to {self.statistics.requests} requests in {self._tries} tries{heard}"
            if self.statistics.requests > 1
            else f"no answer in {self._tries} tries{heard}",
            where=self._where,
            hint="is this the board's port and baud rate, does its program serve (a generated "
            "application prints 'ready'), and was it generated by this version of scanlet?",
        )
