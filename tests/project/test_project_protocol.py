"""The frame parser against an independent one, on anything that may arrive on a serial line."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from project_device import MAGIC, frame

CAPACITY = 64
FRAME, BAD_HEADER, TOO_LONG, BAD_CHECKSUM = 1, 2, 3, 4
HEADER_BYTES, CHECKSUM_BYTES = 12, 4


@pytest.fixture(scope="module")
def parser(build_program) -> Path:
    return build_program("serial_harness.cc", "serial_protocol.cc")


def parse(parser: Path, stream: bytes, *arguments: str, capacity: int = CAPACITY) -> list[tuple]:
    done = subprocess.run(
        [str(parser), str(capacity), *arguments], input=stream, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()  # the sanitizers' findings
    return [tuple(map(int, line.split())) for line in done.stdout.decode().splitlines()]


def expected_events(stream: bytes, capacity: int = CAPACITY) -> list[tuple]:
    """The protocol's description, applied to a stream that is there as a whole."""
    events: list[tuple] = []
    start = stream.find(MAGIC)
    while start >= 0 and start + HEADER_BYTES <= len(stream):
        kind, sequence, reserved, length = struct.unpack_from("<BBHI", stream, start + 4)
        end = start + HEADER_BYTES
        if reserved:
            events.append((BAD_HEADER, kind, sequence))
        elif length > capacity:
            events.append((TOO_LONG, kind, sequence))
        else:
            end += length + CHECKSUM_BYTES
            if end > len(stream):
                break
            (crc,) = struct.unpack_from("<I", stream, end - CHECKSUM_BYTES)
            if crc == zlib.crc32(stream[start + 4 : end - CHECKSUM_BYTES]):
                payload = stream[start + HEADER_BYTES : end - CHECKSUM_BYTES]
                events.append((FRAME, kind, sequence, length, zlib.crc32(payload)))
            else:
                events.append((BAD_CHECKSUM, kind, sequence))
        start = stream.find(MAGIC, end)
    return events


@pytest.mark.parametrize("length", [0, 1, 17, CAPACITY])
def test_a_frame_arrives_whole(parser, length) -> None:
    payload = bytes(range(length))
    crc = zlib.crc32(payload)
    assert parse(parser, frame(2, payload, sequence=200)) == [(FRAME, 2, 200, length, crc)]


def test_a_payload_may_hold_the_magic(parser) -> None:
    payload = MAGIC * 3
    stream = frame(2, payload) * 2
    assert parse(parser, stream) == [(FRAME, 2, 0, 12, zlib.crc32(payload))] * 2


def test_any_flipped_bit_after_the_magic_is_noticed(parser) -> None:
    good = frame(2, b"payload", sequence=3)
    for bit in range(8 * len(MAGIC), 8 * len(good)):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << (bit % 8)
        events = parse(parser, bytes(damaged) + bytes(CAPACITY))
        assert all(event[0] != FRAME for event in events)
        assert events == expected_events(bytes(damaged) + bytes(CAPACITY))


@pytest.mark.parametrize("length", [CAPACITY + 1, 2**16, 2**31, 2**32 - 1])
def test_a_length_beyond_the_buffer_is_refused_at_once(parser, length) -> None:
    header = MAGIC + struct.pack("<BBHI", 2, 5, 0, length)
    assert parse(parser, header + frame(1)) == [(TOO_LONG, 2, 5), (FRAME, 1, 0, 0, 0)]


def test_a_truncated_frame_is_forgotten_after_silence(parser) -> None:
    whole = frame(2, b"abc", sequence=1)
    for cut in range(len(whole)):
        stream = whole[:cut].replace(b"\xff", b"\xfe") + b"\xff" + frame(1, sequence=9)
        if 0xFF not in frame(1, sequence=9):
            assert parse(parser, stream, "-") == [(FRAME, 1, 9, 0, 0)]


_PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"S", b"SC", b"SCN", b"SSCN1", MAGIC]),
    st.builds(frame, st.integers(0, 255), st.binary(max_size=CAPACITY + 4), st.integers(0, 255)),
    st.builds(
        lambda whole, cut: whole[: cut % len(whole)],
        st.builds(frame, st.integers(0, 255), st.binary(max_size=CAPACITY)),
        st.integers(0, 100),
    ),
    st.builds(lambda header: MAGIC + header, st.binary(min_size=8, max_size=8)),
)


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(_PIECES, max_size=12))
def test_whatever_arrives_is_parsed_as_described(parser, pieces) -> None:
    stream = b"".join(pieces)
    assert parse(parser, stream) == expected_events(stream)


def test_a_long_stream_of_noise_and_frames_is_parsed_as_described(parser) -> None:
    rng = np.random.default_rng(0)
    pieces = []
    for _ in range(4000):
        payload = rng.bytes(int(rng.integers(0, CAPACITY + 1)))
        whole = bytearray(frame(int(rng.integers(256)), payload, int(rng.integers(256))))
        fate = rng.integers(5)
        if fate == 0:
            whole[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        elif fate == 1:
            del whole[int(rng.integers(len(whole))) :]
        elif fate == 2:
            whole += rng.choice(np.frombuffer(b"SCN1\0", np.uint8), 30).tobytes()
        pieces.append(bytes(whole))
    stream = b"".join(pieces)
    events = expected_events(stream)
    assert sum(event[0] == FRAME for event in events) > 1000
    assert parse(parser, stream) == events
