"""A line in memory whose other end is a function, for tests of the client alone."""

from __future__ import annotations

from collections.abc import Callable

from scanlet.execution.device.frames import Frame, FrameReader

SPEC = """model=served
model_sha256=00
target=esp32s3
runs=tflm
mode=sequence
precision=int8
generator=scanlet 0
input0.name=x
input0.shape=1x2x3
input0.dtype=int8
input0.scale=0.5
input0.zero_point=-3
output0.name=y
output0.shape=1x2
output0.dtype=int8
output0.scale=0.25
output0.zero_point=4
label0=walk
label1=run
"""


class ScriptedLink:
    """`answer` gets each request that was written, and returns the bytes that come back."""

    baudrate = 0

    def __init__(self, answer: Callable[[Frame], bytes]) -> None:
        self.requests: list[Frame] = []
        self.closed = False
        self._answer = answer
        self._reader = FrameReader()
        self._waiting = b""

    def write(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            assert isinstance(frame, Frame)
            self.requests.append(frame)
            self._waiting += self._answer(frame)

    def read(self, timeout: float) -> bytes:
        assert timeout > 0.0
        data, self._waiting = self._waiting, b""
        return data

    def close(self) -> None:
        self.closed = True


def answer_to(request: Frame, payload: bytes = b"", kind: int | None = None) -> bytes:
    kind = request.kind | 0x80 if kind is None else kind
    return Frame(kind, request.session, request.sequence, payload).encoded()
