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
from project_device import MAGIC, SESSION, VERSION, frame, header

CAPACITY = 64
WHOLE, DAMAGED_HEADER, OTHER_VERSION, TOO_LONG, DAMAGED_PAYLOAD = 1, 2, 3, 4, 5
HEADER_BYTES, CHECKSUM_BYTES = 20, 4


@pytest.fixture(scope="module")
def parser(build_program) -> Path:
    return build_program("serial_harness.cc", "serial/crc32.c", "serial/frame.c")


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
        *described, length, check = struct.unpack_from("<BBHIII", stream, start + 4)
        end = start + HEADER_BYTES
        if check != zlib.crc32(stream[start + 4 : end - CHECKSUM_BYTES]):
            events.append((DAMAGED_HEADER,))
            end = start + 1
        elif described[0] != VERSION:
            events.append((OTHER_VERSION, *described))
        elif length > capacity:
            events.append((TOO_LONG, *described))
        elif length == 0:
            events.append((WHOLE, *described, 0, 0))
        else:
            end += length + CHECKSUM_BYTES
            if end > len(stream):
                break
            payload = stream[start + HEADER_BYTES : end - CHECKSUM_BYTES]
            (check,) = struct.unpack_from("<I", stream, end - CHECKSUM_BYTES)
            if check == zlib.crc32(stream[start + 4 : start + 16] + payload):
                events.append((WHOLE, *described, length, zlib.crc32(payload)))
            else:
                events.append((DAMAGED_PAYLOAD, *described))
        start = stream.find(MAGIC, end)
    return events


@pytest.mark.parametrize("length", [0, 1, 17, CAPACITY])
def test_a_frame_arrives_whole(parser, length) -> None:
    payload = bytes(range(length))
    found = (WHOLE, 2, 2, 51000, SESSION, length, zlib.crc32(payload))
    assert parse(parser, frame(2, payload, sequence=51000)) == [found]


def test_a_payload_may_hold_the_magic(parser) -> None:
    payload = MAGIC * 3
    stream = frame(2, payload) * 2
    assert parse(parser, stream) == [(WHOLE, 2, 2, 0, SESSION, 12, zlib.crc32(payload))] * 2


def test_any_flipped_bit_is_noticed_and_the_next_frame_found(parser) -> None:
    good, following = frame(2, b"payload", sequence=3), frame(1, sequence=4)
    for bit in range(0, 8 * len(good), 3):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << (bit % 8)
        events = parse(parser, bytes(damaged) + following)
        assert events == expected_events(bytes(damaged) + following)
        assert events[-1] == (WHOLE, 2, 1, 4, SESSION, 0, 0)
        assert all(event[0] != WHOLE for event in events[:-1])


def test_a_damaged_length_swallows_nothing(parser) -> None:
    """Whatever the length becomes: the header's own checksum says so before it counts."""
    following = frame(1, sequence=4)
    for byte in range(12, 16):
        for value in (0x10, 0xFF):
            damaged = bytearray(frame(2, b"payload"))
            damaged[byte] ^= value
            events = parse(parser, bytes(damaged) + following)
            assert events == [(DAMAGED_HEADER,), (WHOLE, 2, 1, 4, SESSION, 0, 0)]


def test_a_frame_that_lost_bytes_of_its_header_does_not_take_the_next_one_along(parser) -> None:
    whole, following = frame(2, b"abc"), frame(1, sequence=9)
    for cut in range(1, HEADER_BYTES):
        events = parse(parser, whole[:cut] + following)
        assert events[-1] == (WHOLE, 2, 1, 9, SESSION, 0, 0)
        assert events[:-1] == [(DAMAGED_HEADER,)] * (cut >= len(MAGIC))


@pytest.mark.parametrize("length", [CAPACITY + 1, 2**16, 2**31, 2**32 - 1])
def test_a_length_beyond_the_buffer_is_refused_at_once(parser, length) -> None:
    events = parse(parser, header(2, length, sequence=5) + frame(1))
    assert events == [(TOO_LONG, 2, 2, 5, SESSION), (WHOLE, 2, 1, 0, SESSION, 0, 0)]


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_a_frame_of_another_version_is_recognised(parser, version) -> None:
    events = parse(parser, frame(1, sequence=7, version=version) + frame(1))
    assert events == [
        (OTHER_VERSION, version, 1, 7, SESSION),
        (WHOLE, 2, 1, 0, SESSION, 0, 0),
    ]


def test_a_truncated_frame_is_forgotten_after_silence(parser) -> None:
    whole, following = frame(2, b"abc", sequence=1), frame(1, sequence=9)
    assert b"\xff" not in following
    for cut in range(len(whole)):
        stream = whole[:cut].replace(b"\xff", b"\xfe") + b"\xff" + following
        events = parse(parser, stream, "-")
        assert events[-1] == (WHOLE, 2, 1, 9, SESSION, 0, 0)
        assert all(event[0] != WHOLE for event in events[:-1])


_PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"S", b"SC", b"SCN", b"SSCNL", MAGIC]),
    st.builds(frame, st.integers(0, 255), st.binary(max_size=CAPACITY + 4), st.integers(0, 65535)),
    st.builds(
        lambda whole, cut: whole[: cut % len(whole)],
        st.builds(frame, st.integers(0, 255), st.binary(max_size=CAPACITY)),
        st.integers(0, 100),
    ),
    st.builds(lambda rest: MAGIC + rest, st.binary(min_size=16, max_size=16)),
    st.builds(header, st.integers(0, 255), st.integers(0, 2**32 - 1)),
    st.builds(lambda version: frame(1, version=version), st.integers(0, 255)),
)


@settings(max_examples=100, deadline=None)
@given(pieces=st.lists(_PIECES, max_size=12))
def test_whatever_arrives_is_parsed_as_described(parser, pieces) -> None:
    stream = b"".join(pieces)
    assert parse(parser, stream) == expected_events(stream)


def test_a_long_stream_of_noise_and_frames_is_parsed_as_described(parser) -> None:
    rng = np.random.default_rng(0)
    pieces = []
    for _ in range(4000):
        payload = rng.bytes(int(rng.integers(0, CAPACITY + 1)))
        whole = bytearray(frame(int(rng.integers(256)), payload, int(rng.integers(65536))))
        fate = rng.integers(5)
        if fate == 0:
            whole[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        elif fate == 1:
            del whole[int(rng.integers(len(whole))) :]
        elif fate == 2:
            whole += rng.choice(np.frombuffer(b"SCNL\0", np.uint8), 30).tobytes()
        pieces.append(bytes(whole))
    stream = b"".join(pieces)
    events = expected_events(stream)
    assert sum(event[0] == WHOLE for event in events) > 1000
    assert parse(parser, stream) == events
