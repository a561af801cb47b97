"""The far side of `worker`: a template process that forks a process for each interpreter.

Runs without the rest of scanlet (see `client.BOOT`): the template imports only NumPy and the
interpreter, has one thread, and so is quick to start and safe to fork.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from scanlet.errors import ScanletError
from scanlet.execution.arena_search import smallest_arena
from scanlet.execution.child import die_with_parent, in_child
from scanlet.execution.shared_library import HostLibrary
from scanlet.execution.wheel import load_runtime
from scanlet.execution.worker.frames import FrameError, receive, send

#: What the template is asked: one letter, and a process where one is meant.
REQUEST = struct.Struct("<cq")
FORK, WAIT, KILL = b"F", b"W", b"K"
#: Of address space beyond what the template has, so that no model takes the machine's memory.
MEMORY_BYTES = 8 << 30
#: Answers wait no longer than this for others to go out with.
ANSWER_SECONDS = 0.02


def serve(descriptor: int) -> None:
    """The template: answer requests on a socket until it is closed, then end all children."""
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who waits for us
    try:
        runtime = load_runtime()
    except ScanletError as error:
        control.send(json.dumps({"error": error.message, "hint": error.hint}).encode())
        return
    awake, waking = socket.socketpair()
    awake.setblocking(False)
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    control.send(json.dumps({"ready": os.getpid()}).encode())
    template = Template(control, runtime, (control, awake, waking))
    while True:
        ready, _, _ = select.select([control, awake], [], [])
        if awake in ready:
            awake.recv(4096)
            template.reap()
        if control in ready and not template.answer():
            break
    template.end()


class Template:
    """Keeps count of the processes that it forked."""

    def __init__(
        self, control: socket.socket, runtime: ModuleType, own: tuple[socket.socket, ...]
    ) -> None:
        self.control, self.runtime, self.own = control, runtime, own
        self.alive: set[int] = set()
        self.ended: dict[int, int] = {}

    def answer(self) -> bool:
        """Do what is asked; False where there is nobody left to ask."""
        message, descriptors, _, _ = socket.recv_fds(self.control, REQUEST.size, 2)
        if len(message) != REQUEST.size:
            return False
        what, process = REQUEST.unpack(message)
        if what == FORK:
            reply: dict[str, int | None] = {"process": self.fork(*descriptors)}
        else:
            if what == KILL and process in self.alive:
                os.kill(process, signal.SIGKILL)
            reply = {"status": self.status(process)}
        self.control.send(json.dumps(reply).encode())
        return True

    def fork(self, connection: int, errors: int) -> int:
        process = os.fork()
        if process == 0:
            try:
                _become_worker(socket.socket(fileno=connection), errors, self)
            finally:
                os._exit(1)
        os.close(connection)
        os.close(errors)
        self.alive.add(process)
        return process

    def status(self, process: int) -> int | None:
        """How a process that is about to end did so, as `os.wait` tells; None for a stranger."""
        if process in self.alive:
            _, self.ended[process] = os.waitpid(process, 0)
            self.alive.discard(process)
        return self.ended.pop(process, None)

    def reap(self) -> None:
        for process in list(self.alive):
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                self.alive.discard(process)
                self.ended[process] = status
        for process in list(self.ended)[:-1000]:  # nobody asked for
            del self.ended[process]

    def end(self) -> None:
        for process in self.alive:
            os.kill(process, signal.SIGKILL)
        for process in self.alive:
            os.waitpid(process, 0)


def _become_worker(connection: socket.socket, errors: int, template: Template) -> None:
    import faulthandler
    import resource

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    die_with_parent()
    for other in template.own:
        other.close()
    os.dup2(errors, 2)
    os.close(errors)
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    session = Session(template.runtime)
    while True:
        try:
            head, arrays = receive(connection)
        except (EOFError, OSError, FrameError):
            os._exit(0)
        session.answer(connection, head, arrays)


class Session:
    """One model in one process."""

    def __init__(self, runtime: ModuleType) -> None:
        self.runtime = runtime
        self.registerers: list[str] = []
        self.model, self.outputs = b"", 0
        self.interpreter: Any = None

    def answer(
        self, connection: socket.socket, head: dict[str, Any], arrays: list[np.ndarray]
    ) -> None:
        """Do what `head` says; an error is an answer, too."""
        try:
            if head["do"] == "run":
                self.run_all(connection, arrays, head["inputs"])
                return
            send(connection, getattr(self, f"do_{head['do']}")(arrays, **head["with"]))
        except ScanletError as error:
            send(connection, {"error": error.message, "where": error.where, "hint": error.hint})
        except MemoryError:
            send(connection, {"error": "there is not enough memory"})
        except (RuntimeError, ValueError) as error:  # how the interpreter tells of a failure
            send(connection, {"failed": str(error)})

    def do_model(
        self, arrays: list[np.ndarray], outputs: int, library: str | None, symbol: str | None
    ) -> dict[str, Any]:
        """Take the flatbuffer, load its operator."""
        self.model, self.outputs = arrays[0].tobytes(), outputs
        if library is not None and symbol is not None:
            HostLibrary(Path(library), symbol).load()
            self.registerers = [symbol]
        return {}

    def do_create(self, _: list[np.ndarray], arena: int) -> dict[str, Any]:
        """Allocate in an arena of that size, from now on."""
        self.interpreter = None
        self.interpreter = self.create(arena)
        return {}

    def do_print(self, _: list[np.ndarray]) -> dict[str, Any]:
        """Let the interpreter print what it allocated."""
        self.interpreter.print_allocations()
        return {}

    def do_smallest(self, _: list[np.ndarray], used: int) -> dict[str, Any]:
        """The smallest arena that works."""
        return {"bytes": smallest_arena(used, self.works)}

    def do_try(self, _: list[np.ndarray], arena: int) -> dict[str, Any]:
        """Whether an arena of that size works; it may also crash."""

        def attempt(descriptor: int) -> None:
            os.write(descriptor, b"+" if self.works(arena) else b"-")

        return {"works": in_child(attempt)[1] == b"+"}

    def do_reset(self, _: list[np.ndarray]) -> dict[str, Any]:
        """Clear what operators carry from call to call."""
        return {"failed": "reset"} if self.interpreter.reset() else {}

    def create(self, arena: int) -> Any:
        return self.runtime.Interpreter.from_bytes(
            self.model, custom_op_registerers=self.registerers, arena_size=arena
        )

    def works(self, arena: int) -> bool:
        try:
            self.create(arena)
        except (RuntimeError, ValueError):
            return False
        return True

    def run_all(self, connection: socket.socket, arrays: list[np.ndarray], width: int) -> None:
        """Run call by call; answers go out together where they come fast."""
        outputs: list[np.ndarray] = []
        since = time.monotonic()
        for start in range(0, len(arrays), width):
            outputs += self.run(arrays[start : start + width])
            if start + width == len(arrays) or time.monotonic() - since > ANSWER_SECONDS:
                send(connection, {"calls": len(outputs) // self.outputs}, outputs)
                outputs, since = [], time.monotonic()

    def run(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        for index, array in enumerate(inputs):
            self.interpreter.set_input(array, index)
        self.interpreter.invoke()
        return [np.ascontiguousarray(self.interpreter.get_output(i)) for i in range(self.outputs)]
