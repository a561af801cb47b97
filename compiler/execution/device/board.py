"""A board that serves a model: run it from here."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scanlet.emit.model_description import TensorDescription
from scanlet.errors import DeviceError, InputError
from scanlet.execution.device.description import DeviceInfo, parse
from scanlet.execution.device.frames import Request
from scanlet.execution.device.link import Link, SerialLink
from scanlet.execution.device.session import TIMEOUT, TRIES, Session
from scanlet.execution.exchange import Exchange
from scanlet.execution.samples import Sample

BAUDRATE = 115200
#: What `statistics` answers, in its order (templates/serial/server.h).
FIGURES = (
    *("inferences", "failures", "resets", "requests", "repeated", "stale", "refused"),
    *("damaged_headers", "damaged_payloads", "truncated", "too_long", "other_versions"),
    *("last_us", "longest_us", "total_us_low", "total_us_high"),
    *("memory_used", "memory_reserved", "stack_unused"),
)
_UNKNOWN = 0xFFFFFFFF


@dataclass(frozen=True)
class SelfTest:
    """How the samples that are stored on the board came out there."""

    samples: int
    failed: int

    @property
    def passed(self) -> bool:
        return self.failed == 0 and self.samples > 0


class Device(Exchange):
    """A board at a serial port whose program serves a model, as generated projects do.

    Args:
        port: a name (/dev/ttyUSB0, COM3), a URL of pyserial's (socket://host:port), or an open
            line with the methods of `Link`.
        baudrate: bits a second, as the board's program sets it.
        timeout: seconds without an answer before a request is sent again (longer where the board
            took longer before; doubled each time).
        tries: how often a request is sent before DeviceError.

    Frames that the line damages, loses or doubles are sent again; the board carries out each
    request once, so answers are right or there is an error. Raises MissingToolError without
    pyserial, InputError if there is no such port, DeviceError if the board does not answer. To be
    used in a `with` statement, which closes the port.
    """

    def __init__(
        self,
        port: str | Link,
        baudrate: int = BAUDRATE,
        *,
        timeout: float = TIMEOUT,
        tries: int = TRIES,
    ) -> None:
        if timeout <= 0 or tries < 1 or baudrate < 1:
            raise InputError(f"timeout {timeout}, tries {tries}, baudrate {baudrate}: too small")
        link = SerialLink(port, baudrate) if isinstance(port, str) else port
        self.port = port if isinstance(port, str) else "the link"
        self._session = Session(link, where=self.port, timeout=timeout, tries=tries)
        try:
            text = self._session.request(Request.HELLO).decode("utf-8", "replace")
            self.info: DeviceInfo = parse(text, self.port)
        except BaseException:
            link.close()
            raise
        self.mode, self.stream = self.info.mode, self.info.stream
        self.latencies_us: list[int] = []
        self._lost_track = False

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port."""
        self._session.close()

    @property
    def inputs(self) -> list[TensorDescription]:
        return list(self.info.inputs)

    @property
    def outputs(self) -> list[TensorDescription]:
        return list(self.info.outputs)

    def run(self, *inputs: Any) -> Any:
        """Run on the board: real values, shapes as for `Compiled.run`.

        One sample (1, ...), a batch (B, ...), or in stream mode any number of chunks, from where
        the last call left the state. Returns an array an output, a tuple of several.
        """
        calls = self._calls(self.stored_inputs(self._batches(inputs)))
        return self._joined([self.real_outputs(self._infer(call)) for call in calls])

    def run_raw(self, *inputs: Any) -> Any:
        """As `run`, exchanging the stored values: integers for integer precisions."""
        return self._joined(
            [self._infer(call) for call in self._calls(self._batches(inputs, stored=True))]
        )

    def reset(self) -> None:
        """Clear the recurrent state."""
        self._session.request(Request.RESET)
        self._lost_track = False

    def self_test(self) -> SelfTest:
        """Run the samples that are stored on the board; the state is clear afterwards."""
        failed, samples = struct.unpack("<2I", self._expect(Request.SELF_TEST, 8))
        return SelfTest(samples, failed)

    def statistics(self) -> dict[str, Any]:
        """What the board counted since it was started, and `link`: what this side did.

        `mean_us` is over all inferences; a figure that the board does not know is None.
        """
        payload = self._session.request(Request.STATISTICS)
        values = struct.unpack(f"<{len(payload) // 4}I", payload[: len(payload) // 4 * 4])
        found: dict[str, Any] = {
            name: None if value == _UNKNOWN else value
            for name, value in zip(FIGURES, values, strict=False)
        }
        if len(found) < len(FIGURES):
            raise DeviceError(f"{len(found)} figures instead of {len(FIGURES)}", where=self.port)
        total = (found.pop("total_us_low") or 0) + ((found.pop("total_us_high") or 0) << 32)
        found["mean_us"] = total / found["inferences"] if found["inferences"] else None
        return {**found, "link": asdict(self._session.statistics)}

    def _infer(self, call: Sample) -> list[np.ndarray]:
        if self._lost_track and self.mode == "stream":
            raise DeviceError(
                "a chunk got no answer, so the board's state is not known",
                where=self.port,
                hint="call reset() and begin the recording again",
            )
        payload = b"".join(np.ascontiguousarray(array).tobytes() for array in call)
        self._lost_track = True
        answer = self._expect(Request.INFER, 4 + self.info.output_bytes, payload)
        self._lost_track = False
        self.latencies_us.append(int.from_bytes(answer[:4], "little"))
        return _split(answer[4:], self.info.outputs)

    def _expect(self, kind: Request, size: int, payload: bytes = b"") -> bytes:
        answer = self._session.request(kind, payload, size)
        if len(answer) != size:
            raise DeviceError(
                f"the answer to {kind.name} has {len(answer)} bytes instead of {size}",
                where=self.port,
                hint="generate the project again with this scanlet, and flash it",
            )
        return answer


def _split(data: bytes, tensors: Sequence[TensorDescription]) -> list[np.ndarray]:
    arrays, begin = [], 0
    for tensor in tensors:
        end = begin + tensor.nbytes
        stored = np.frombuffer(data[begin:end], np.dtype(tensor.dtype).newbyteorder("<"))
        arrays.append(stored.astype(tensor.dtype).reshape(tensor.shape))
        begin = end
    return arrays
