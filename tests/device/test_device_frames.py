"""Frames as the host reads and writes them, whatever arrives and in whatever pieces."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanlet.execution.device.frames import HEADER_BYTES, MAGIC, Damage, Frame, FrameReader

FRAMES = st.builds(
    Frame,
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
    st.integers(0, 65535),
    st.binary(max_size=60),
)


def test_a_frame_has_the_layout_that_the_protocol_describes() -> None:
    data = Frame(0x82, 0x01020304, 0x0506, b"abc").encoded()
    assert data[:16] == b"SCNL\x02\x82\x06\x05\x04\x03\x02\x01\x03\x00\x00\x00"
    assert struct.unpack_from("<I", data, 16)[0] == zlib.crc32(data[4:16])
    assert data[20:23] == b"abc"
    assert struct.unpack_from("<I", data, 23)[0] == zlib.crc32(data[4:16] + b"abc")
    assert len(Frame(1, 5, 6).encoded()) == HEADER_BYTES


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_frames_are_found_in_whatever_pieces_they_arrive(frames, sizes) -> None:
    stream = b"boot\r\n" + b"a line of text\r\n".join(frame.encoded() for frame in frames)
    reader, found = FrameReader(), []
    while stream:
        size = sizes[len(found) % len(sizes)]
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == frames


@settings(deadline=None)
@given(FRAMES, FRAMES, st.data())
def test_a_damaged_frame_is_noticed_and_the_next_one_found(first, second, data) -> None:
    stream = bytearray(first.encoded())
    bit = data.draw(st.integers(0, 8 * len(stream) - 1))
    stream[bit // 8] ^= 1 << bit % 8
    found = FrameReader().feed(bytes(stream) + second.encoded())
    assert first not in found[:-1] or first == second
    assert found[-1] == second


@settings(deadline=None)
@given(FRAMES, FRAMES, st.data())
def test_a_truncated_frame_does_not_take_the_next_one_along(first, second, data) -> None:
    whole = first.encoded()
    cut = data.draw(st.integers(0, len(whole) - 1))
    reader = FrameReader()
    found = reader.feed(whole[:cut] + second.encoded()) + reader.forget()
    frames = [one for one in found if isinstance(one, Frame)]
    if second.encoded().startswith(whole[cut:]):
        assert frames == [first]  # what was lost are the same bytes that follow
    else:
        assert frames == [second]


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_noise_never_makes_a_frame(noise) -> None:
    reader = FrameReader()
    found = reader.feed(noise.replace(MAGIC, b"") + MAGIC[:2]) + reader.forget()
    assert all(isinstance(one, Damage) for one in found)
    assert reader.feed(Frame(1, 2, 3).encoded()) == [Frame(1, 2, 3)]


def test_another_version_and_an_absurd_length_are_told_apart_from_damage() -> None:
    other = Frame(0x81, 1, 1, version=3).encoded()
    assert FrameReader().feed(other) == [Damage.VERSION]
    body = struct.pack("<BBHII", 2, 0x82, 1, 1, 2**31)
    absurd = MAGIC + body + struct.pack("<I", zlib.crc32(body))
    assert FrameReader().feed(absurd) == [Damage.HEADER]


@pytest.mark.parametrize("text", ["ready: serving\r\n", "Fährt S SC SCN\n"])
def test_text_between_frames_is_kept_for_messages(text) -> None:
    reader = FrameReader()
    reader.feed(b"\x00\x07" + text.encode() + Frame(1, 2, 3).encoded() + b"more\xff\n")
    assert reader.text == text.replace("\r", "") + "more\n"
