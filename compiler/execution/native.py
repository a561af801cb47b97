"""The generic C library of a network on this machine: no BLAS, no fused multiply-adds.

The same graph gives the same bits here on every machine and on every core that is built without
fused multiply-adds.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

import numpy as np

from scanlet.emit.generic.source import render_generic
from scanlet.errors import ExecutionError, InputError
from scanlet.execution.shared_library import build_c_library
from scanlet.graph import Graph
from scanlet.planning.plan import make_plan
from scanlet.targets import find

NAME = "native"
#: The library's memory is static, and equal networks share one library.
_LOCK = threading.Lock()


class NativeLibrary:
    """A legal graph as machine code of this machine, in time tiles of `tile` steps.

    Raises MissingToolError where there is no C compiler, ExecutionError if it fails.
    """

    def __init__(self, graph: Graph, *, tile: int) -> None:
        self.graph = graph
        sources = render_generic(graph, make_plan(graph, find("generic"), tile=tile), name=NAME)
        path = build_c_library(sources, name=NAME)
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise ExecutionError(f"the network's library does not load: {error}") from error

    def run_once(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """One call from a clear state: stored inputs, stored outputs."""
        with _LOCK:
            self._library.native_init()
            return self._run(*inputs)

    def from_reset(self) -> Callable[..., list[np.ndarray]]:
        """Clear the state; what is returned takes a call's stored inputs, gives its outputs.

        One network at a time: what was returned before goes on from this state, too.
        """
        self._library.native_init()
        return self._run

    def _run(self, *inputs: np.ndarray) -> list[np.ndarray]:
        arrays = [
            _aligned(np.asarray(array, tensor.dtype))
            for array, tensor in zip(inputs, self.graph.inputs, strict=True)
        ]
        outputs = [_aligned(np.zeros(t.shape, t.dtype)) for t in self.graph.outputs]
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*arrays, *outputs)]
        if self._library.native_run(*pointers) != 0:
            raise InputError("an index is beyond the table that it is looked up in")
        return outputs


def _aligned(array: np.ndarray) -> np.ndarray:
    """A contiguous copy at a multiple of 16 bytes."""
    room = np.zeros(array.nbytes + 16, np.uint8)
    start = -room.ctypes.data % 16
    made = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    made[...] = array
    return made
