"""Inferences over lines that lose, double, damage and delay frames: every answer is right, and
every request is carried out once."""

from __future__ import annotations

import time

import numpy as np
import pytest
from device_models import Served

import scanlet
from examples.benchmark.serial_faults import FaultInjector, Faults, Line
from examples.benchmark.serial_link import over_a_line
from scanlet.execution.device.frames import Frame, FrameReader

FAULTS = {
    "corrupted": Faults(corrupt=0.3),
    "dropped": Faults(drop=0.1),
    "duplicated": Faults(duplicate=0.5),
    "truncated": Faults(truncate=0.1),
    "noise": Faults(noise=0.5),
    "late": Faults(hold=0.1),
    "everything": Faults(0.05, 0.03, 0.05, 0.03, 0.05, 0.03),
}


@pytest.mark.parametrize("mode", ["sequence", "stream"])
@pytest.mark.parametrize("kind", FAULTS)
def test_every_answer_is_right_and_no_request_is_carried_out_twice(
    request: pytest.FixtureRequest, mode: str, kind: str
) -> None:
    served: Served = request.getfixturevalue(mode)
    faults = FAULTS[kind]
    row = over_a_line(served.compiled, [served.program], 60, faults, seed=3)
    assert row["wrong"] == 0
    assert row["carried_out"] == row["inferences"] == 60
    assert sum(row["faults"].values()) >= 8
    if kind != "noise":
        assert row["sent_again"] + row["repeated"] > 0


def test_a_line_that_corrupts_one_frame_in_a_hundred(sequence: Served, stream: Served) -> None:
    """The measured bar is 10,000 inferences: python -m examples.benchmark.serial_link."""
    for served in (sequence, stream):
        row = over_a_line(served.compiled, [served.program], 500, Faults(corrupt=0.01), seed=5)
        assert (row["wrong"], row["carried_out"]) == (0, 500)
        assert row["faults"]["corrupt"] >= 5


def test_the_injector_does_what_it_says() -> None:
    frames = [Frame(2, 7, n, bytes(range(n % 30))) for n in range(400)]
    for kind in ("corrupt", "drop", "duplicate", "truncate", "noise", "hold"):
        injector = FaultInjector(Faults(**{kind: 0.25}), seed=1)
        reader = FrameReader()
        out = b"".join(injector.feed(b"text\n" + frame.encoded()) for frame in frames)
        found = [one for one in reader.feed(out) + reader.forget() if isinstance(one, Frame)]
        assert injector.frames == 400
        assert 70 < injector.counts[kind] < 130
        if kind == "duplicate":
            assert len(found) == 400 + injector.counts[kind]
        elif kind in ("noise", "hold"):
            assert sorted(f.sequence for f in found)[:390] == list(range(390))
        else:
            assert len(found) == 400 - injector.counts[kind]


def test_a_board_that_restarts_in_a_stream_is_noticed(stream: Served) -> None:
    """Its state is gone: an answer would be wrong without anybody knowing."""
    x = stream.compiled.stored_inputs([np.ones((1, 4, 8), np.float32)])[0]
    with (
        Line([stream.program]) as line,
        scanlet.Device(line.port) as board,
    ):
        board.run_raw(x)
        line.restart()
        with pytest.raises(scanlet.DeviceError, match="say hello first") as failure:
            board.run_raw(x)
        assert "the board restarted" in str(failure.value)


def test_two_programs_at_one_board_notice_each_other(sequence: Served, samples: np.ndarray) -> None:
    with Line([sequence.program]) as line, scanlet.Device(line.port) as first:
        first.run(samples[0][np.newaxis])
        with scanlet.Device(line.port) as second:
            second.run(samples[1][np.newaxis])
        with pytest.raises(scanlet.DeviceError, match="no such session"):
            first.run(samples[0][np.newaxis])


def test_a_board_that_is_gone_is_given_up_in_bounded_time(sequence: Served) -> None:
    with Line([sequence.program], Faults(drop=1.0)) as line:
        begin = time.monotonic()
        with pytest.raises(scanlet.DeviceError, match="no answer in 3 tries"):
            scanlet.Device(line.port, timeout=0.05, tries=3)
        assert time.monotonic() - begin < 2.0
