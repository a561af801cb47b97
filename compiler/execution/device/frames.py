"""The frames of the serial protocol, version 2: see templates/serial/frame.h for the layout."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import Enum, IntEnum

MAGIC = b"SCNL"
VERSION = 2
HEADER_BYTES = 20
CHECKSUM_BYTES = 4
#: Longer answers are not believed: the largest output of a microcontroller is far below.
LONGEST_PAYLOAD = 1 << 24
ANSWER = 0x80
_FIELDS = struct.Struct("<BBHII")
_CHECKSUM = struct.Struct("<I")
#: What a board printed between frames, for messages: no more than this is kept.
_KEPT_TEXT = 4096


class Request(IntEnum):
    """Types of requests; an answer's is the request's plus ANSWER."""

    HELLO = 0x01
    INFER = 0x02
    RESET = 0x03
    STATISTICS = 0x04
    SELF_TEST = 0x05


#: The type of an answer that is an error: a byte of ErrorCode, then text.
ERROR = 0xFF


class ErrorCode(IntEnum):
    """Why a board refused a request."""

    DAMAGED = 1
    VERSION = 2
    SESSION = 3
    TYPE = 4
    LENGTH = 5
    FAILED = 6


class Damage(Enum):
    """What may happen to a frame on its way."""

    HEADER = "header"
    PAYLOAD = "payload"
    VERSION = "version"


@dataclass(frozen=True)
class Frame:
    """A whole frame; `session` and `sequence` tie an answer to its request."""

    kind: int
    session: int
    sequence: int
    payload: bytes = b""
    version: int = VERSION

    def encoded(self) -> bytes:
        body = _FIELDS.pack(self.version, self.kind, self.sequence, self.session, len(self.payload))
        check = zlib.crc32(body)
        head = MAGIC + body + _CHECKSUM.pack(check)
        if not self.payload:
            return head
        return head + self.payload + _CHECKSUM.pack(zlib.crc32(self.payload, check))


class FrameReader:
    """Finds frames in the bytes that arrive, text and noise between them skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._text = bytearray()

    @property
    def text(self) -> str:
        """What came between frames, printable characters only: the board's own messages."""
        shown = self._text.decode("utf-8", "replace")
        return "".join(c for c in shown if c.isprintable() or c == "\n").replace("\ufffd", "")

    def feed(self, data: bytes) -> list[Frame | Damage]:
        """The frames that are complete now, and the damage that was seen, in order."""
        self._buffer += data
        found: list[Frame | Damage] = []
        while (one := self._next()) is not None:
            found.append(one)
        return found

    def forget(self) -> list[Frame | Damage]:
        """The line was silent: what waits for its rest is no frame; what follows in it may be."""
        found: list[Frame | Damage] = []
        while self._buffer.startswith(MAGIC):
            self._skip(1)
            found += self.feed(b"")
        self._skip(len(self._buffer))
        return found

    def _next(self) -> Frame | Damage | None:
        start = self._buffer.find(MAGIC)
        if start < 0:  # the beginning of a magic may be at the end
            kept = next(n for n in (3, 2, 1, 0) if self._buffer.endswith(MAGIC[:n]) or n == 0)
            self._skip(len(self._buffer) - kept)
            return None
        self._skip(start)
        if len(self._buffer) < HEADER_BYTES:
            return None
        body = bytes(self._buffer[len(MAGIC) : HEADER_BYTES - CHECKSUM_BYTES])
        (check,) = _CHECKSUM.unpack_from(self._buffer, HEADER_BYTES - CHECKSUM_BYTES)
        version, kind, sequence, session, length = _FIELDS.unpack(body)
        if check != zlib.crc32(body) or length > LONGEST_PAYLOAD:
            self._skip(1)
            return Damage.HEADER
        if version != VERSION:
            del self._buffer[:HEADER_BYTES]
            return Damage.VERSION
        end = HEADER_BYTES + (length + CHECKSUM_BYTES if length else 0)
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[HEADER_BYTES : HEADER_BYTES + length])
        if length:
            (found,) = _CHECKSUM.unpack_from(self._buffer, HEADER_BYTES + length)
            if found != zlib.crc32(payload, check):
                self._skip(1)  # the next frame may lie inside, where this one lost bytes
                return Damage.PAYLOAD
        del self._buffer[:end]
        return Frame(kind, session, sequence, payload)

    def _skip(self, count: int) -> None:
        self._text += self._buffer[:count]
        del self._text[:-_KEPT_TEXT]
        del self._buffer[:count]
