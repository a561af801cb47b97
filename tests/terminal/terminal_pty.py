"""A command behind a pseudo-terminal: what it shows, and what a key does to it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A process whose standard error, input and controlling terminal are a pseudo-terminal.

    Standard output is a pipe, so that what goes there is told apart.
    """

    def __init__(
        self, command: Sequence[str], *, columns: int = 80, cwd: Path = HERE, **env: str
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=clean | {"TERM": "xterm", "OMP_NUM_THREADS": "1"} | env,
        )
        os.close(theirs)
        self.shown = ""

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Read until the terminal has shown the text."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown:\n{self.shown}"
            assert self._read(0.1), f"the end, and {text!r} was not shown:\n{self.shown}"

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Send a signal to the process alone, where a key goes to all that it started."""
        self._process.send_signal(number)

    def child(self, name: str, seconds: float = 30) -> int:
        """The process of that program that ours has started, waited for."""
        own = self._process.pid
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split():
                if name.startswith(Path(f"/proc/{pid}/comm").read_text().strip()):
                    return int(pid)
            self._read(0.1)
        raise AssertionError(f"{name} was not started:\n{self.shown}")

    def finish(self, seconds: float = 120) -> tuple[int, str]:
        """Exit code and standard output."""
        deadline = time.monotonic() + seconds
        while self._read(0.1):
            assert time.monotonic() < deadline, self.shown
        assert self._process.stdout is not None
        printed = self._process.stdout.read().decode()
        self._process.stdout.close()
        code = self._process.wait(seconds)
        os.close(self._ours)
        return code, printed

    @property
    def left(self) -> list[str]:
        """The lines that remain on the screen, without the blank ones at their end."""
        return screen(self.shown)

    def _read(self, seconds: float) -> bool:
        """Read a little; False at the end."""
        ready, _, _ = select.select([self._ours], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux's way of telling that the other side is closed
            data = b""
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


def screen(shown: str) -> list[str]:
    """What a terminal displays behind this text, of what our programs make use of."""
    lines, row, column = [""], 0, 0
    position = 0
    while position < len(shown):
        escape = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])").match(shown, position)
        if escape:
            number = int(escape[1]) if escape[1].isdigit() else 1
            if escape[2] == "A":
                row = max(0, row - number)
            elif escape[2] == "K":
                kept = lines[row][:column] if escape[1] in ("", "0") else ""
                lines[row] = kept
            position = escape.end()
            continue
        character = shown[position]
        position += 1
        if character == "\r":
            column = 0
        elif character == "\n":
            row += 1
            while len(lines) <= row:
                lines.append("")
        else:
            lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1 :]
            column += 1
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.rstrip() for line in lines]


def plain(shown: str) -> str:
    """The text without escape sequences."""
    return _ESCAPE.sub("", shown)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def scanlet(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "scanlet.cli", *map(str, arguments)]
