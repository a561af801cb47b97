"""A serial port as a stream of bytes, and which ports there are."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Protocol

from scanlet.errors import DeviceError, InputError, MissingToolError

PYSERIAL = "pyserial==3.5"
#: A port that takes no byte for so long is stuck.
STUCK_SECONDS = 5.0


class Link(Protocol):
    """What a session needs of a line. `baudrate` in bits a second; 0: as fast as it goes."""

    baudrate: int

    def write(self, data: bytes) -> None: ...

    def read(self, timeout: float) -> bytes:
        """What has arrived; waits `timeout` seconds for the first byte."""
        ...

    def close(self) -> None: ...


class SerialLink:
    """A port by its name (/dev/ttyUSB0, COM3) or as a URL of pyserial's (socket://host:port).

    Raises MissingToolError without pyserial, InputError naming the ports that there are if this one
    cannot be opened.
    """

    def __init__(self, port: str, baudrate: int) -> None:
        serial = _pyserial()
        self.port, self.baudrate = port, baudrate
        try:
            line = serial.serial_for_url(port, do_not_open=True)
            line.baudrate = baudrate
            # Where these two are wired to reset, opening the port must not pull them.
            line.dtr = line.rts = False
            line.open()
        except (serial.SerialException, ValueError, OSError) as error:
            raise InputError(
                f"cannot open this port: {error}",
                where=port or "--port",
                hint=f"the serial ports of this machine: {', '.join(serial_ports()) or 'none'}",
            ) from error
        self._line: Any = line
        self._failures = (serial.SerialException, OSError)

    def write(self, data: bytes) -> None:
        try:
            # Longer than the line takes: only one that takes nothing any more ends this.
            self._line.write_timeout = STUCK_SECONDS + 20.0 * len(data) / self.baudrate
            self._line.write(data)
        except self._failures as error:
            raise self._lost(error) from error

    def read(self, timeout: float) -> bytes:
        try:
            if waiting := self._line.in_waiting:
                return bytes(self._line.read(waiting))
            self._line.timeout = timeout
            first = bytes(self._line.read(1))
            return first + (bytes(self._line.read(self._line.in_waiting)) if first else b"")
        except self._failures as error:
            raise self._lost(error) from error

    def close(self) -> None:
        self._line.close()

    def _lost(self, error: Exception) -> DeviceError:
        return DeviceError(
            f"the connection broke: {error}",
            where=self.port,
            hint="is the board still plugged in, and no other program at this port?",
        )


def serial_ports() -> list[str]:
    """The serial ports of this machine, those of USB devices first."""
    _pyserial()
    from serial.tools import list_ports

    ports = sorted(list_ports.comports(), key=lambda port: (port.vid is None, port.device))
    return [port.device for port in ports]


def _pyserial() -> ModuleType:
    try:
        import serial
    except ImportError as error:
        raise MissingToolError(
            "serial ports need the package pyserial",
            hint=f"python -m pip install {PYSERIAL}",
        ) from error
    return serial
