"""Run a flatbuffer in the real TFLM interpreter on this machine, in a process of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import numpy as np

from scanlet.emit.flatbuffer_reader import ModelDescription, TensorDescription, validate
from scanlet.emit.validation.indices import index_limits
from scanlet.errors import ExecutionError, InputError
from scanlet.execution import allocations as recorded
from scanlet.execution.allocations import Allocations
from scanlet.execution.arena_search import align
from scanlet.execution.shared_library import HostLibrary, build_library
from scanlet.execution.wheel import check_installed
from scanlet.execution.worker.client import Worker, WorkerDied
from scanlet.progress import step

__all__ = ["Allocations", "HostInterpreter", "HostLibrary", "build_library"]

#: Room for everything but the tensors; untouched pages cost nothing.
FIRST_ARENA_BYTES = 32 << 20
LARGEST_ARENA_BYTES = 1 << 32
#: Words of TFLM when the arena is what failed.
ARENA_MESSAGES = ("Failed to allocate", "Failed to resize", "Arena size is too small")
#: Time that one inference may take.
RUN_SECONDS = 600.0
#: Calls that go to the worker at once: fewer turns of both processes.
CALLS_AT_ONCE, BYTES_AT_ONCE = 256, 1 << 22


class HostInterpreter:
    """A flatbuffer, loaded and allocated in a worker process.

    Args:
        tflite: the flatbuffer; checked first, so that damage never reaches the interpreter.
        library: the operator's library; None for a model without SELECTIVE_SSM nodes.
        arena_bytes: size of the tensor arena; the smallest that works when absent.
        run_seconds: how long one inference may take.

    Raises ModelFileError (damaged bytes), MissingToolError (no interpreter on this platform) or
    ExecutionError (the operator was built for another model, the arena is too small, ...). Should
    the worker die, the call in progress raises ExecutionError, and the next starts another one.
    """

    def __init__(
        self,
        tflite: bytes,
        library: HostLibrary | None,
        arena_bytes: int | None = None,
        *,
        run_seconds: float = RUN_SECONDS,
    ) -> None:
        self._tflite = bytes(tflite)
        self.description: ModelDescription = validate(self._tflite, sealed=True)
        if library is None and any(op.custom for op in self.description.operators):
            raise ExecutionError(
                "the model has SELECTIVE_SSM nodes, but no operator library was given",
                hint="build the generated component with build_library",
            )
        self._limits = index_limits(self.description)
        self._seconds = run_seconds
        self._library = library
        check_installed()
        self._worker: Worker | None = None
        self._owner = os.getpid()
        self._locks = {os.getpid(): threading.RLock()}
        self._has_run = False  # since the state was cleared
        self._lost = ""  # how the state was lost, until that is told
        self._arena = 0
        self.allocations = self._measure()
        needed = self.allocations.total
        if arena_bytes is not None and arena_bytes < needed:
            raise ExecutionError(
                f"an arena of {arena_bytes} bytes is too small, {needed} are needed "
                f"({self.allocations.describe()})",
                hint=f"give at least {needed} bytes, or leave arena_bytes away",
            )
        self._arena = arena_bytes or needed
        self._ask("create", arena=self._arena)

    def run(self, *inputs: Any) -> list[np.ndarray]:
        """One inference: arrays of exactly the inputs' shapes and types; new arrays come back.

        Raises InputError if an array does not fit, ExecutionError if a kernel fails.
        """
        return self.run_all([inputs])[0]

    def run_all(self, calls: Sequence[Sequence[Any]]) -> list[list[np.ndarray]]:
        """As `run` for each of `calls`, in turn; all inputs are checked before the first runs."""
        expected = self.description.inputs
        checked = []
        for inputs in calls:
            if len(inputs) != len(expected):
                raise InputError(f"{len(expected)} inputs expected, got {len(inputs)}")
            checked.append([self._checked(t, x) for t, x in zip(expected, inputs, strict=True)])
        nbytes = max(1, sum(tensor.nbytes for tensor in expected))
        step = max(1, min(CALLS_AT_ONCE, BYTES_AT_ONCE // nbytes))
        results: list[list[np.ndarray]] = []
        with self._turn():
            for start in range(0, len(checked), step):
                results += self._run(checked[start : start + step])
        return results

    def reset(self) -> None:
        """Clear what operators carry from call to call (the recurrent state in stream mode)."""
        with self._turn():
            with suppress(ExecutionError):
                self._check_the_state()
            if self.stateful and self._worker is not None:  # a new one starts cleared
                self._ask("reset")
            self._has_run = False

    @property
    def process_id(self) -> int | None:
        """The process that the model runs in; None before it is started again after its death."""
        return self._worker.process_id if self._worker is not None else None

    @property
    def stateful(self) -> bool:
        """Whether something is carried from call to call."""
        return any(op.custom and op.parameters.stream for op in self.description.operators)

    @property
    def _first_arena_bytes(self) -> int:
        activations = sum(t.nbytes for t in self.description.tensors if not t.constant)
        return FIRST_ARENA_BYTES + 2 * activations

    # -- allocation ----------------------------------------------------------------------------
    def _measure(self) -> Allocations:
        """Allocate in a huge arena, read what was used, then find the smallest one that works."""
        step("looking for the smallest arena")
        size = self._first_arena_bytes
        while True:
            try:
                self._ask("create", arena=size)
                break
            except ExecutionError as error:
                too_small = any(words in error.message for words in ARENA_MESSAGES)
                if not too_small or size > LARGEST_ARENA_BYTES:
                    raise
                size *= 8
        _, printed = self._ask("print")
        used = align(recorded.used_bytes(printed))
        answer, _ = self._ask("smallest", used=used)
        return recorded.parse(printed, self.description, total=int(answer["bytes"]))

    def works_with(self, arena_bytes: int) -> bool:
        """Whether an arena of that size would do."""
        with self._turn():
            return bool(self._ask("try", arena=arena_bytes)[0]["works"])

    # -- the worker ----------------------------------------------------------------------------
    def _turn(self) -> AbstractContextManager[Any]:
        """Threads take turns; one that a fork did not take along may have had its own."""
        if self._locks.keys() != {os.getpid()}:
            self._locks = {os.getpid(): threading.RLock()}
        return self._locks[os.getpid()]

    def _run(self, calls: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
        """Some calls in one message; an answer each."""
        self._check_the_state()
        if self._worker is None:
            self._start()
        worker = self._worker
        assert worker is not None
        arrays = [array for call in calls for array in call]
        head: dict[str, Any] = {"do": "run", "inputs": len(self.description.inputs)}
        results, pending = [], len(calls)
        try:
            worker.send(head, arrays, self._seconds)
            while pending > 0:
                head, outputs, printed = worker.receive(self._seconds)
                self._has_run = True
                pending -= head.get("calls", pending)  # a failure is the last answer
                _raise_failure(head, printed)
                if printed:
                    os.write(2, printed.encode())
                results += self._fitting(outputs, head["calls"])
        except WorkerDied as died:
            raise self._death(died, "while it ran") from died
        except BaseException:
            if pending:  # what is still to come would answer the wrong question
                worker.end()
            self._note_its_end(worker)
            raise
        return results

    def _fitting(self, outputs: list[np.ndarray], calls: int) -> list[list[np.ndarray]]:
        """What came back of some calls, in the shapes of the model's outputs."""
        wanted = self.description.outputs
        if len(outputs) != calls * len(wanted):
            raise ExecutionError(f"{len(outputs)} outputs came back of {calls} calls")
        fitting = []
        for array, tensor in zip(outputs, wanted * calls, strict=True):
            if str(array.dtype) != tensor.dtype or array.nbytes != tensor.nbytes:
                raise ExecutionError(f"output {tensor.name!r} came back as {array.dtype}")
            fitting.append(array.reshape(tensor.shape))
        return [fitting[i : i + len(wanted)] for i in range(0, len(fitting), len(wanted))]

    def _start(self) -> None:
        """A worker that knows the model; after the first, allocated, too."""
        self._worker, self._has_run = Worker(), False
        library = self._library
        self._ask(
            "model",
            [np.frombuffer(self._tflite, np.uint8)],
            outputs=len(self.description.outputs),
            library=str(library.path) if library else None,
            symbol=library.symbol if library else None,
        )
        if self._arena:
            self._ask("create", arena=self._arena)

    def _ask(
        self, what: str, arrays: list[np.ndarray] | None = None, **arguments: Any
    ) -> tuple[dict[str, Any], str]:
        """The answer's head, and what was printed. Raises ExecutionError."""
        if self._worker is None:
            self._start()
        worker = self._worker
        assert worker is not None
        try:
            worker.send({"do": what, "with": arguments}, arrays or [], self._seconds)
            head, _, printed = worker.receive(self._seconds)
        except WorkerDied as died:
            raise self._death(died, "on this model") from died
        except BaseException:
            self._note_its_end(worker)
            raise
        _raise_failure(head, printed)
        return head, printed

    def _death(self, died: WorkerDied, when: str) -> ExecutionError:
        """The worker is gone: what to tell. The next call starts another one."""
        self._worker = None
        lost = self.stateful and self._has_run
        self._has_run = False
        if died.late:
            cause = f"took longer than {self._seconds:g} seconds {when}, and was ended"
            hint = "give run_seconds=, or compile a smaller model"
        elif died.signal_name == "SIGKILL":
            cause = f"was killed {when} (SIGKILL)"
            hint = "somebody ended it, or the machine had no memory left: run it again"
        else:
            cause = f"crashed {when} ({died.signal_name})"
            hint = (
                "this process goes on. Compile the model again; if it still crashes, report it "
                "with the project"
            )
        words = f": {died.printed.strip()}" if died.printed.strip() else ""
        state = "; the recurrent state is lost, the next run starts from zero" if lost else ""
        where = str(self._library.path) if self._library else None
        return ExecutionError(f"the interpreter {cause}{words}{state}", where=where, hint=hint)

    def _note_its_end(self, worker: Worker) -> None:
        """After an interruption (Ctrl-C, say), which ends the worker where it was at work."""
        if not worker.alive:
            self._worker = None
            if self.stateful and self._has_run:
                self._lost = "the recurrent state was lost when a run was interrupted"
            self._has_run = False

    def _check_the_state(self) -> None:
        """Raise ExecutionError, once, where the state is not what earlier calls left."""
        if self._owner != os.getpid():  # a fork: the worker stays the parent's
            self._owner, self._worker = os.getpid(), None
            if self.stateful and self._has_run:
                self._lost = "the recurrent state stayed with the process this was forked from"
            self._has_run = False
        elif self._worker is not None:
            self._note_its_end(self._worker)
        if self._lost:
            lost, self._lost = self._lost, ""
            raise ExecutionError(lost, hint="run again (or reset first) to start from zero")

    # -- inputs --------------------------------------------------------------------------------
    def _checked(self, tensor: TensorDescription, value: Any) -> np.ndarray:
        array = np.ascontiguousarray(value)
        if array.shape != tensor.shape:
            if np.shape(value) != tensor.shape:
                raise InputError(
                    f"input {tensor.name!r} has shape {np.shape(value)}, expected {tensor.shape}"
                )
            array = array.reshape(tensor.shape)
        if array.dtype != np.dtype(tensor.dtype):
            raise InputError(
                f"input {tensor.name!r} is {array.dtype}, expected {tensor.dtype}",
                hint=f"convert it with .astype(np.{tensor.dtype})",
            )
        limit = self._limits.get(tensor.index)
        if limit is not None and array.size and not 0 <= array.min() <= array.max() < limit:
            raise InputError(
                f"input {tensor.name!r} holds indices from {array.min()} to {array.max()}, "
                f"the table has {limit} rows"
            )
        return array


def _raise_failure(head: dict[str, Any], printed: str) -> None:
    """Raise ExecutionError for an answer that tells of one."""
    if "error" in head:
        raise ExecutionError(head["error"], where=head.get("where"), hint=head.get("hint"))
    if "failed" in head:
        raise ExecutionError(_reason(printed, head["failed"]))


def _reason(printed: str, failure: str) -> str:
    """What to tell of a failure: our operator's own words first, else all that TFLM printed."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    ours = [line for line in lines if "SELECTIVE_SSM: " in line]
    text = "; ".join(dict.fromkeys(ours or lines))
    return text or failure or "the interpreter failed without a word"
