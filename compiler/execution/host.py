"""Run a flatbuffer in the real TFLM interpreter on this machine."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

import numpy as np

from scanlet.emit.flatbuffer_reader import ModelDescription, TensorDescription, validate
from scanlet.errors import ExecutionError, InputError
from scanlet.execution import allocations as recorded
from scanlet.execution.allocations import Allocations
from scanlet.execution.arena_search import align, smallest_arena
from scanlet.execution.captured import captured_stderr
from scanlet.execution.child import in_child
from scanlet.execution.shared_library import HostLibrary, build_library
from scanlet.execution.wheel import load_runtime

__all__ = ["Allocations", "HostInterpreter", "HostLibrary", "build_library"]

#: Room for everything but the tensors; untouched pages cost nothing.
FIRST_ARENA_BYTES = 32 << 20
LARGEST_ARENA_BYTES = 1 << 32
#: Words of TFLM when the arena is what failed.
ARENA_MESSAGES = ("Failed to allocate", "Failed to resize", "Arena size is too small")


class HostInterpreter:
    """A flatbuffer, loaded and allocated.

    Args:
        tflite: the flatbuffer; checked first, so that damage never reaches the interpreter.
        library: the operator's library; None for a model without SELECTIVE_SSM nodes.
        arena_bytes: size of the tensor arena; the smallest that works when absent.

    Raises ModelFileError (damaged bytes), MissingToolError (no interpreter on this platform) or
    ExecutionError (the operator was built for another model, the arena is too small, ...).
    """

    def __init__(
        self, tflite: bytes, library: HostLibrary | None, arena_bytes: int | None = None
    ) -> None:
        self._tflite = bytes(tflite)
        self.description: ModelDescription = validate(self._tflite, sealed=True)
        if library is None and any(op.custom for op in self.description.operators):
            raise ExecutionError(
                "the model has SELECTIVE_SSM nodes, but no operator library was given",
                hint="build the generated component with build_library",
            )
        self._runtime = load_runtime()
        self._registerers: list[str] = []
        if library is not None:
            library.load()
            self._registerers = [library.symbol]
            self._refuse_a_crash(library)
        self.allocations = self._measure()
        needed = self.allocations.total
        if arena_bytes is not None and arena_bytes < needed:
            raise ExecutionError(
                f"an arena of {arena_bytes} bytes is too small, {needed} are needed "
                f"({self.allocations.describe()})",
                hint=f"give at least {needed} bytes, or leave arena_bytes away",
            )
        self._interpreter = self._create(arena_bytes or needed)
        self._limits = _index_limits(self.description)

    def run(self, *inputs: Any) -> list[np.ndarray]:
        """One inference: arrays of exactly the inputs' shapes and types; new arrays come back.

        Raises InputError if an array does not fit, ExecutionError if a kernel fails.
        """
        expected = self.description.inputs
        if len(inputs) != len(expected):
            raise InputError(f"{len(expected)} inputs expected, got {len(inputs)}")
        arrays = [self._checked(t, x) for t, x in zip(expected, inputs, strict=True)]
        for index, array in enumerate(arrays):
            self._interpreter.set_input(array, index)
        failure = None
        with captured_stderr() as printed:
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                failure = error
        if failure is not None:
            raise ExecutionError(_reason(printed.text, failure)) from failure
        if printed.text:
            os.write(2, printed.text.encode())
        outputs = self.description.outputs
        return [
            np.asarray(self._interpreter.get_output(i)).reshape(tensor.shape)
            for i, tensor in enumerate(outputs)
        ]

    def reset(self) -> None:
        """Clear what operators carry from call to call (the recurrent state in stream mode)."""
        with captured_stderr() as printed:
            status = self._interpreter.reset()
        if status:
            raise ExecutionError(_reason(printed.text, None))

    @property
    def _first_arena_bytes(self) -> int:
        activations = sum(t.nbytes for t in self.description.tensors if not t.constant)
        return FIRST_ARENA_BYTES + 2 * activations

    # -- allocation ----------------------------------------------------------------------------
    def _measure(self) -> Allocations:
        """Allocate in a huge arena, read what was used, then find the smallest one that works."""
        size = self._first_arena_bytes
        while True:
            try:
                interpreter = self._create(size)
                break
            except ExecutionError as error:
                too_small = any(words in error.message for words in ARENA_MESSAGES)
                if not too_small or size > LARGEST_ARENA_BYTES:
                    raise
                size *= 8
        with captured_stderr() as printed:
            interpreter.print_allocations()
        used = align(recorded.used_bytes(printed.text))
        total = smallest_arena(used, self._works)
        return recorded.parse(printed.text, self.description, total=total)

    def _refuse_a_crash(self, library: HostLibrary) -> None:
        """Let a child run the operator once, on zeros: its crash is an error, not the end."""

        def rehearse(_: int) -> None:
            with suppress(ExecutionError, RuntimeError):  # told again, with words, without a child
                interpreter = self._create(self._first_arena_bytes)
                for i, tensor in enumerate(self.description.inputs):
                    interpreter.set_input(np.zeros(tensor.shape, tensor.dtype), i)
                interpreter.invoke()

        signal_number, _ = in_child(rehearse)
        if signal_number:
            name = signal.Signals(signal_number).name
            raise ExecutionError(
                f"the operator library crashed on this model ({name})", where=str(library.path)
            )

    def _works(self, arena_bytes: int) -> bool:
        try:
            self._create(arena_bytes)
        except ExecutionError:
            return False
        return True

    def _create(self, arena_bytes: int) -> Any:
        """An allocated interpreter. ExecutionError with TFLM's words if it refuses."""
        failure = None
        with captured_stderr() as printed:
            try:
                interpreter = self._runtime.Interpreter.from_bytes(
                    self._tflite, custom_op_registerers=self._registerers, arena_size=arena_bytes
                )
            except (RuntimeError, ValueError) as error:
                failure = error
        if failure is not None:
            raise ExecutionError(_reason(printed.text, failure)) from failure
        return interpreter

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


def _index_limits(model: ModelDescription) -> dict[int, int]:
    """Rows of the smallest table that an input indexes: GATHER does not check on the host."""
    inputs = {tensor.index for tensor in model.inputs}
    limits: dict[int, int] = {}
    for op in model.operators:
        if op.name == "GATHER" and op.inputs[1] in inputs:
            rows = model.tensors[op.inputs[0]].shape[op.options["axis"]]
            limits[op.inputs[1]] = min(rows, limits.get(op.inputs[1], rows))
    return limits


def _reason(printed: str, failure: Exception | None) -> str:
    """What to tell of a failure: our operator's own words first, else all that TFLM printed."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    ours = [line for line in lines if "SELECTIVE_SSM: " in line]
    text = "; ".join(dict.fromkeys(ours or lines))
    return text or str(failure or "the interpreter failed without a word")
