"""Messages between this process and the one that runs the interpreter: a JSON head, then arrays.

No pickles: the other side runs native code on a file's word.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

_LENGTH = struct.Struct("<I")
MAX_HEAD_BYTES = 1 << 20
MAX_ARRAY_BYTES = 1 << 32
#: Messages up to this size go out in one piece.
_ONE_PIECE = 1 << 16
_KINDS = frozenset({"float32", "int8", "int16", "int32", "int64", "uint8", "bool"})


class FrameError(Exception):
    """What came is no message."""


def send(
    connection: socket.socket, head: dict[str, Any], arrays: Sequence[np.ndarray] = ()
) -> None:
    """Send `head` and C-contiguous arrays."""
    described = [[str(array.dtype), list(array.shape)] for array in arrays]
    text = json.dumps({**head, "arrays": described}).encode()
    parts = [_LENGTH.pack(len(text)), text, *(array.tobytes() for array in arrays)]
    if sum(map(len, parts)) <= _ONE_PIECE:
        parts = [b"".join(parts)]
    for part in parts:
        connection.sendall(part)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The next message; its arrays are new and writable.

    Raises EOFError where the other side has hung up, TimeoutError where it is silent, FrameError
    for nonsense.
    """
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > MAX_HEAD_BYTES:
        raise FrameError(f"a head of {length} bytes")
    try:
        head = json.loads(_exactly(connection, length))
        described = [(dtype, tuple(shape)) for dtype, shape in head.pop("arrays")]
        if not all(dtype in _KINDS for dtype, _ in described):
            raise FrameError("an array of another type")
        sizes = [math.prod(shape) * np.dtype(dtype).itemsize for dtype, shape in described]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FrameError(f"no head: {error}") from error
    if any(not 0 <= size <= MAX_ARRAY_BYTES for size in sizes):
        raise FrameError("an array without end")
    arrays = []
    for (dtype, shape), size in zip(described, sizes, strict=True):
        arrays.append(np.frombuffer(_exactly(connection, size), dtype).reshape(shape))
    return head, arrays


def _exactly(connection: socket.socket, count: int) -> bytearray:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = connection.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return data
