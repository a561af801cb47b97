"""Native code runs in a process of its own: its death is an error here, not the end.

A template process (see `worker_process`) is started on first use, once, and forks one worker an
interpreter. Everything ends with this process; a fork of this process starts anew.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from scanlet.errors import ExecutionError, MissingToolError
from scanlet.execution.captured import memory_file
from scanlet.execution.worker import frames
from scanlet.execution.worker.process import FORK, KILL, REQUEST, WAIT

#: Starts the far side with this process's module path, but without scanlet's own `__init__`, which
#: would load the whole compiler.
BOOT = """
import json, sys, types
descriptor, path, package = json.loads(sys.argv[1])
sys.path[:] = path
sys.modules["scanlet"] = types.ModuleType("scanlet")
sys.modules["scanlet"].__path__ = [package]
from scanlet.execution.worker.process import serve
serve(descriptor)
"""
START_SECONDS, END_SECONDS = 60, 5
_TEXT = 1 << 16


class WorkerDied(Exception):  # noqa: N818
    """The worker is gone. `status` is what `os.wait` told of it (None: unknown), `printed` its last
    words; `late` that it was ended because it took too long."""

    def __init__(self, status: int | None, printed: str, late: bool) -> None:
        super().__init__("the worker is gone")
        self.status, self.printed, self.late = status, printed, late

    @property
    def signal_name(self) -> str:
        """The signal that ended it, else its exit code in words."""
        if self.status is None:
            return "an unknown cause"
        if os.WIFSIGNALED(self.status):
            number = os.WTERMSIG(self.status)
            with suppress(ValueError):
                return signal.Signals(number).name
            return f"signal {number}"
        return f"exit code {os.WEXITSTATUS(self.status)}"


class Template:
    """The process that workers are forked from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = [os.path.abspath(entry) for entry in sys.path]
        package = str(Path(__file__).resolve().parents[2])
        with tempfile.TemporaryFile() as errors, far:
            try:
                self._process = subprocess.Popen(
                    [
                        *(sys.executable or "python3", "-I", "-S", "-c", BOOT),
                        json.dumps([far.fileno(), path, package]),
                    ],
                    pass_fds=[far.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    cwd="/",
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                    start_new_session=True,
                )
            except OSError as error:
                raise ExecutionError(f"no process can be started: {error}") from error
            far.close()
            self._control.settimeout(START_SECONDS)
            try:
                ready = json.loads(self._control.recv(_TEXT) or b"{}")
            except (OSError, ValueError):
                ready = {}
            if "ready" not in ready:
                self.close()
                errors.seek(0)
                words = ready.get("error") or errors.read().decode("utf-8", "replace")
                if "error" in ready:
                    raise MissingToolError(words, hint=ready["hint"])
                raise ExecutionError(f"the interpreter's process does not start: {words.strip()}")

    @property
    def process_id(self) -> int:
        return self._process.pid

    def fork(self, connection: socket.socket, errors: int) -> int:
        """A new worker that talks on `connection`; its process id. OSError if that fails."""
        with self._lock:
            request = REQUEST.pack(FORK, 0)
            socket.send_fds(self._control, [request], [connection.fileno(), errors])
            return int(self._reply()["process"])

    def end(self, process: int, *, kill: bool) -> int | None:
        """How a worker ended, which hung up (or is killed)."""
        with self._lock, suppress(OSError, ValueError, KeyError):
            self._control.send(REQUEST.pack(KILL if kill else WAIT, process))
            return self._reply()["status"]
        return None

    def close(self) -> None:
        """End it and all workers."""
        self._control.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """In a fork of this process: it is the parent's."""
        self._control.close()
        self._process.returncode = 0

    def _reply(self) -> dict[str, Any]:
        reply = self._control.recv(_TEXT)
        if not reply:
            raise ConnectionResetError("the template process is gone")
        return json.loads(reply)


class Worker:
    """One worker process: `ask` it. Ends when this object goes."""

    def __init__(self) -> None:
        self._connection, far = socket.socketpair()
        self._errors = memory_file(append=True)
        with far:
            self._process = _fork(far, self._errors)
        self._close = weakref.finalize(self, _close, self._connection, self._errors)
        _workers.add(self)

    @property
    def process_id(self) -> int:
        return self._process

    @property
    def alive(self) -> bool:
        """Whether it may still be asked."""
        return self._close.alive

    def send(self, head: dict[str, Any], arrays: list[np.ndarray], seconds: float) -> None:
        """Ask for something. Raises WorkerDied."""
        self._connection.settimeout(seconds)
        try:
            frames.send(self._connection, head, arrays)
        except OSError as error:
            raise self._death(error) from error

    def receive(self, seconds: float) -> tuple[dict[str, Any], list[np.ndarray], str]:
        """The next answer: its head, its arrays, what was printed. Raises WorkerDied."""
        self._connection.settimeout(seconds)
        try:
            head, arrays = frames.receive(self._connection)
        except (OSError, EOFError, frames.FrameError) as error:
            raise self._death(error) from error
        except BaseException:  # Ctrl-C: what comes next would be the answer to this
            self.end()
            raise
        return head, arrays, self._printed()

    def end(self) -> None:
        """End it now, whatever it is doing."""
        template = _template
        if self._close.alive and template is not None:
            template.end(self._process, kill=True)
        self._close()

    def forget(self) -> None:
        """Hang up: it ends, or, in a fork of this process, stays the parent's."""
        self._close()

    def _printed(self) -> str:
        size = os.lseek(self._errors, 0, os.SEEK_END)
        if not size:
            return ""
        text = os.pread(self._errors, size, 0).decode("utf-8", "replace")
        os.ftruncate(self._errors, 0)
        return text

    def _death(self, error: BaseException) -> WorkerDied:
        """What is to be told of a worker that does not answer."""
        if not self._close.alive:
            return WorkerDied(None, "", False)
        late = isinstance(error, TimeoutError)
        template = _template
        kill = late or isinstance(error, frames.FrameError)
        status = template.end(self._process, kill=kill) if template is not None else None
        died = WorkerDied(status, self._printed(), late)
        self._close()
        return died


def _close(connection: socket.socket, errors: int) -> None:
    connection.close()
    with suppress(OSError):
        os.close(errors)


_lock = threading.RLock()
_template: Template | None = None
_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


def _fork(far: socket.socket, errors: int) -> int:
    global _template
    with _lock:
        if _template is not None:
            with suppress(OSError):
                return _template.fork(far, errors)
            _template.close()  # somebody ended it
            _template = None
        _template = Template()
        try:
            return _template.fork(far, errors)
        except OSError as error:
            raise ExecutionError(f"the interpreter's process does not start: {error}") from error


def template_process() -> int | None:
    """The process id of the template; None before the first use."""
    return _template.process_id if _template is not None else None


def shut_down() -> None:
    """End the template and all workers; the next use starts anew."""
    global _template
    with _lock:
        for worker in list(_workers):
            worker.forget()
        if _template is not None:
            _template.close()
        _template = None


def _after_fork() -> None:
    global _template, _lock
    _lock = threading.RLock()
    for worker in list(_workers):
        worker.forget()
    if _template is not None:
        _template.forget()
    _template = None


atexit.register(shut_down)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
