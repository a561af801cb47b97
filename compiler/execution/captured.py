"""Catch what C++ code prints to standard error: TFLM says there why it refuses a model."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()  # file descriptor 2 belongs to the whole process


class Captured:
    """`text` is filled in when the block ends."""

    text: str = ""


@contextmanager
def captured_stderr() -> Iterator[Captured]:
    """Redirect file descriptor 2 into memory for the block."""
    result = Captured()
    with _LOCK:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            saved = os.dup(2)
        except OSError:  # standard error is closed: the block's output goes nowhere
            saved = -1
        sink = memory_file()
        os.dup2(sink, 2)
        try:
            yield result
        finally:
            if saved >= 0:
                os.dup2(saved, 2)
                os.close(saved)
            else:
                os.close(2)
            size = os.lseek(sink, 0, os.SEEK_END)
            if size:
                os.lseek(sink, 0, os.SEEK_SET)
                result.text = os.read(sink, size).decode("utf-8", "replace")
            os.close(sink)


def memory_file(*, append: bool = False) -> int:
    """A descriptor, never 2, of a file in memory; every write goes to its end if `append`."""
    descriptor = _unnamed_file()
    if append:
        import fcntl  # not on every platform, but wherever the interpreter's wheel exists

        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
    return descriptor


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("scanlet-stderr")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    if descriptor != 2:
        return descriptor
    try:
        return os.dup(descriptor)  # standard error is closed, so its number was free
    finally:
        os.close(descriptor)
