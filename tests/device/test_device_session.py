"""The client's side of the protocol: what it sends again, what it believes, when it gives up."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from device_scripts import SPEC, ScriptedLink, answer_to

import scanlet
from scanlet.errors import DeviceError, InputError
from scanlet.execution.device.frames import Frame, Request

TIMEOUT = 0.005


def served(*scripts: bytes | None, spec: str = SPEC):
    """A function that greets, then answers in turn; None: an inference's answer."""
    left = list(scripts)

    def answer(request: Frame) -> bytes:
        if request.kind == Request.HELLO:
            return b"boot log\n" + answer_to(request, spec.encode())
        script = left.pop(0) if left else None
        return infer_answer(request) if script is None else script

    return answer


def infer_answer(request: Frame) -> bytes:
    return answer_to(request, struct.pack("<I", 1500) + b"\x01\xff")


def board(*scripts: bytes | None, spec: str = SPEC, tries: int = 3) -> scanlet.Device:
    link = ScriptedLink(served(*scripts, spec=spec))
    return scanlet.Device(link, timeout=TIMEOUT, tries=tries)


def test_real_values_are_stored_and_read_as_the_board_describes() -> None:
    link = ScriptedLink(served())
    with scanlet.Device(link, timeout=TIMEOUT) as device:
        x = np.array([[[0.0, 0.5, 1.2], [-70.0, 100.0, -0.3]]], np.float32)
        found = device.run(x)
    assert found.tolist() == [[0.25 * (1 - 4), 0.25 * (-1 - 4)]]
    assert link.requests[-1].payload == bytes([0xFD, 0xFE, 0xFF, 0x80, 0x7F, 0xFC])
    assert device.latencies_us == [1500]
    assert link.closed


def test_each_request_has_the_next_number_of_one_session() -> None:
    link = ScriptedLink(served())
    device = scanlet.Device(link, timeout=TIMEOUT)
    device.run(np.zeros((2, 2, 3)))
    numbers = [request.sequence for request in link.requests]
    assert [(n - numbers[0]) % 65536 for n in numbers] == [0, 1, 2]
    assert len({request.session for request in link.requests}) == 1
    assert link.requests[0].session != 0


def test_a_request_without_an_answer_is_sent_again_as_it_was() -> None:
    link = ScriptedLink(served(b"", b"half an answer SCNL\x02", None))
    device = scanlet.Device(link, timeout=TIMEOUT)
    device.run(np.zeros((1, 2, 3)))
    assert link.requests[1] == link.requests[2] == link.requests[3]
    statistics = device._session.statistics
    assert (statistics.sent_again, statistics.timeouts) == (2, 2)


def test_after_a_damaged_answer_the_request_is_sent_again_at_once() -> None:
    def damaged(request: Frame) -> bytes:
        data = bytearray(infer_answer(request))
        data[-1] ^= 4
        return bytes(data)

    answers = [damaged, infer_answer]
    link = ScriptedLink(
        lambda request: served()(request) if request.kind == 1 else answers.pop(0)(request)
    )
    device = scanlet.Device(link, timeout=60.0)  # no timeout passes here
    device.run(np.zeros((1, 2, 3)))
    assert device._session.statistics.damaged_answers == 1


@pytest.mark.parametrize("addressed", [True, False])
def test_after_an_error_that_says_damaged_the_request_is_sent_again_at_once(addressed) -> None:
    said = b"\x01the request arrived damaged"

    def refused(request: Frame) -> bytes:
        if addressed:
            return answer_to(request, said, 0xFF)
        return Frame(0xFF, 0, 0, said).encoded()

    answers = [refused, infer_answer]
    link = ScriptedLink(
        lambda request: served()(request) if request.kind == 1 else answers.pop(0)(request)
    )
    device = scanlet.Device(link, timeout=60.0)
    device.run(np.zeros((1, 2, 3)))
    assert device._session.statistics.refused_as_damaged == 1


def test_answers_to_others_are_ignored() -> None:
    def answer(request: Frame) -> bytes:
        if request.kind == Request.HELLO:
            return served()(request)
        old = Frame(0x82, request.session, request.sequence - 1 & 0xFFFF, b"\0" * 6)
        foreign = Frame(0x82, request.session ^ 1, request.sequence, b"\0" * 6)
        other = Frame(0x83, request.session, request.sequence)
        return b"".join(f.encoded() for f in (old, foreign, other)) + infer_answer(request)

    device = scanlet.Device(ScriptedLink(answer), timeout=TIMEOUT)
    assert device.run_raw(np.zeros((1, 2, 3), np.int8)).tolist() == [[1, -1]]
    assert device._session.statistics.stale_answers == 2


def test_a_silent_board_is_given_up_with_what_it_printed() -> None:
    link = ScriptedLink(lambda _: b"STOPPED: the tensors could not be allocated\n")
    with pytest.raises(DeviceError, match="no answer in 3 tries") as failure:
        scanlet.Device(link, timeout=TIMEOUT, tries=3)
    assert "STOPPED: the tensors could not be allocated" in str(failure.value)
    assert "baud rate" in str(failure.value)
    assert len(link.requests) == 3
    assert link.closed


def test_another_version_of_the_protocol_is_named() -> None:
    link = ScriptedLink(lambda r: Frame(0xFF, r.session, r.sequence, b"\x02", version=3).encoded())
    with pytest.raises(DeviceError, match="another version of the protocol than 2"):
        scanlet.Device(link, timeout=TIMEOUT, tries=2)


@pytest.mark.parametrize(
    ("code", "said", "hint"),
    [
        (2, "the request is of another version", "generate the project again"),
        (3, "no such session", "the board restarted"),
        (5, "the payload's length", "generate the project again"),
        (6, "the model failed", "what the board prints"),
    ],
)
def test_a_refused_request_is_an_error_that_is_not_repeated(code, said, hint) -> None:
    def answer(request: Frame) -> bytes:
        if request.kind == Request.HELLO:
            return served()(request)
        return answer_to(request, bytes([code]) + said.encode(), 0xFF)

    link = ScriptedLink(answer)
    device = scanlet.Device(link, timeout=TIMEOUT)
    with pytest.raises(DeviceError, match=f"refuses RESET: {said}") as failure:
        device.reset()
    assert hint in str(failure.value)
    assert [request.kind for request in link.requests] == [Request.HELLO, Request.RESET]


def test_a_stream_is_not_continued_over_a_chunk_that_got_no_answer() -> None:
    spec = SPEC.replace("mode=sequence", "mode=stream\nchunk=2\ninput0.time_axis=1")
    device = board(b"", b"", None, spec=spec, tries=2)
    x = np.zeros((1, 2, 3), np.int8)
    with pytest.raises(DeviceError, match="no answer"):
        device.run_raw(x)
    with pytest.raises(DeviceError, match="the board's state is not known"):
        device.run_raw(x)
    device._session._link._answer = lambda r: (  # type: ignore[attr-defined]
        answer_to(r) if r.kind == Request.RESET else infer_answer(r)
    )
    device.reset()
    assert device.run_raw(np.zeros((1, 6, 3), np.int8)).shape == (3, 2)


@pytest.mark.parametrize(
    ("line", "replaced", "match"),
    [
        ("model=served\n", "", "'model'"),
        ("input0.dtype=int8", "input0.dtype=complex64", "complex64"),
        ("input0.shape=1x2x3", "input0.shape=1x0x3", "input0"),
        ("output0.shape=1x2", "output0.shape=1xtwo", "two"),
        ("output0.shape=1x2\n", "", "output0"),
    ],
)
def test_an_odd_description_is_refused(line, replaced, match) -> None:
    assert line in SPEC
    with pytest.raises(DeviceError, match=match):
        board(spec=SPEC.replace(line, replaced))


def test_an_answer_of_another_length_is_refused() -> None:
    link = ScriptedLink(
        lambda r: served()(r) if r.kind == Request.HELLO else answer_to(r, b"\0\0\0\0\x01")
    )
    device = scanlet.Device(link, timeout=TIMEOUT)
    with pytest.raises(DeviceError, match="5 bytes instead of 6"):
        device.run(np.zeros((1, 2, 3)))


@pytest.mark.parametrize("shape", [(1, 3, 3), (2, 3), (0, 2, 3)])
def test_an_input_of_another_shape_is_not_sent(shape) -> None:
    device = board()
    with pytest.raises(InputError):
        device.run(np.zeros(shape))


@pytest.mark.parametrize("options", [{"timeout": 0}, {"tries": 0}, {"baudrate": 0}])
def test_odd_options_are_refused(options) -> None:
    with pytest.raises(InputError, match="too small"):
        scanlet.Device(ScriptedLink(served()), **options)
