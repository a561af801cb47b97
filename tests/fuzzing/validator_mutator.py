"""Damage to flatbuffers: fields that a walk finds, bytes, lengths, pieces of other files."""

from __future__ import annotations

import contextlib
import functools
import random
import struct
import zlib
from typing import Any

import tflite

from scanlet.emit import seal
from scanlet.emit.flatbuffer_walk import SCALARS, SCHEMA, Walker
from scanlet.emit.parameters.custom_options import FORMAT, MAGIC
from scanlet.errors import ScanletError

#: What is often at a limit of something.
NUMBERS = (
    *(0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 32, 64, 127, 128, 255, 256, 32767, 32768, 65535),
    *(1 << 16, 1 << 20, 1 << 24, (1 << 28) - 1, 1 << 30, (1 << 31) - 1, 1 << 31, (1 << 32) - 1),
    *(-1, -2, -3, -4, -8, -128, -129, -32768, -(1 << 31)),
)
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-30, 1e-12, 1e12, 1e30, 3.4e38)
REALS += (float("inf"), float("-inf"), float("nan"))
MOST_CHANGES = 4

_OPTIONS = {
    code: name
    for name, code in vars(tflite.BuiltinOptions).items()
    if isinstance(code, int) and code and name in SCHEMA
}


class Recorder(Walker):
    """Notes where each value lies that the walk reads: (position, form)."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, _OPTIONS)
        self.fields: list[tuple[int, str]] = []

    def _scalar(self, code: str, position: int) -> Any:
        value = super()._scalar(code, position)
        self.fields.append((position, code))
        return value

    def _vector(self, at: int, element: str) -> Any:
        found = super()._vector(at, element)
        start, count = self._vector_header(at)
        if element in SCALARS:
            code, size, _ = SCALARS[element]
            self.fields += [(start + size * i, code) for i in range(min(count, 256))]
            if element == "uint8" and count <= 64:  # shapes, axes and the like
                self.fields += [(start + i, "i") for i in range(0, count - 3, 4)] * 3
        return found


@functools.lru_cache(maxsize=512)
def fields(data: bytes) -> tuple[tuple[int, str], ...]:
    """Every field up to where the walk ends, vtables and lengths among them."""
    recorder = Recorder(data)
    with contextlib.suppress(ScanletError):
        recorder.root(b"TFL3")
    return tuple(recorder.fields)


def mutate(data: bytes, others: list[bytes], number: int, longest: int) -> bytes:
    """A damaged file; the same for the same `number`. Mostly with the right checksums."""
    rng = random.Random(number)
    known = fields(data)
    changed = bytearray(data)
    for _ in range(rng.randint(1, MOST_CHANGES)):
        what = rng.random()
        if what < 0.72 and known:
            _change_field(changed, known, rng)
        elif what < 0.86 and changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        elif what < 0.90:
            _copy_within(changed, rng)
        elif what < 0.94:
            other = rng.choice(others)
            at, size = rng.randrange(0, len(other), 4), 4 << rng.randrange(6)
            to = rng.randrange(0, max(1, len(changed)), 4)
            changed[to : to + size] = other[at : at + size]
        elif what < 0.99:
            at = rng.randrange(0, max(1, len(changed)), 4)
            changed[at:at] = bytes(rng.choice((4, 16)))
        else:
            del changed[rng.randrange(max(1, len(changed))) :]
    if rng.random() < 0.9:
        _sign_blocks(changed)
    cut = bytes(changed[:longest])
    return reseal(cut) if rng.random() < 0.97 else cut


def _change_field(data: bytearray, known: tuple[tuple[int, str], ...], rng: random.Random) -> None:
    at, code = rng.choice(known)
    form = struct.Struct("<" + code)
    if not 0 <= at <= len(data) - form.size:
        return
    (value,) = form.unpack_from(data, at)
    kind = rng.random()
    if code == "f":
        form.pack_into(data, at, rng.choice((*REALS, value * 2, value / 2, -value)))
        return
    if kind < 0.4:
        value += rng.choice((-16, -8, -4, -2, -1, 1, 2, 4, 8, 16))
    elif kind < 0.8:
        value = rng.choice(NUMBERS)
    else:  # what stands in a field like it
        other, _ = rng.choice([field for field in known if field[1] == code])
        if other <= len(data) - form.size:
            (value,) = form.unpack_from(data, other)
    data[at : at + form.size] = (int(value) & (1 << 8 * form.size) - 1).to_bytes(
        form.size, "little"
    )


def _copy_within(data: bytearray, rng: random.Random) -> None:
    if len(data) < 8:
        return
    size = 4 << rng.randrange(4)
    source, target = (rng.randrange(0, len(data) - 4, 4) for _ in range(2))
    data[target : target + size] = data[source : source + size]


def _sign_blocks(data: bytearray) -> None:
    """Let the CRC of parameter blocks fit, whichever length their vectors say."""
    at = data.find(MAGIC)
    while at >= 4:
        (size,) = struct.unpack_from("<I", data, at - 4)
        if FORMAT.size <= size <= 256 and at + size <= len(data):
            block = bytes(data[at : at + size])
            struct.pack_into("<I", data, at + 8, zlib.crc32(block[:8] + bytes(4) + block[12:]))
        at = data.find(MAGIC, at + 4)


def reseal(data: bytes) -> bytes:
    """With the checksum that fits, where there is room for one."""
    start = data.rfind(seal.MAGIC)
    end = start + len(seal.EMPTY)
    if start < 0 or end > len(data):
        return data
    return seal.attach(data[:start] + seal.EMPTY + data[end:])
