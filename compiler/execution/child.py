"""Do something in a child process, because it may crash."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import warnings
from collections.abc import Callable

from scanlet.errors import ExecutionError
from scanlet.execution.captured import captured_stderr

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends. Linux only; elsewhere nothing."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def in_child(action: Callable[[int], None]) -> tuple[int, bytes]:
    """Run `action(descriptor)` in a forked child.

    Returns the signal that ended the child (0 if none did) and what it wrote to the descriptor.
    A crash leaves no traces: no dump of the Python stack, no core file.
    """
    import resource  # not on every platform, but wherever the interpreter's wheel exists

    reading, writing = os.pipe()
    # Captured: the child's complaints are no news, and no other thread may hold that lock now.
    with captured_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about forking beside threads
        try:
            child = os.fork()
        except OSError as error:
            os.close(reading)
            os.close(writing)
            raise ExecutionError(f"no child process can be started: {error}") from error
        if child == 0:
            try:
                die_with_parent()
                faulthandler.disable()
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                action(writing)
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            written = pipe.read()
        _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, written
