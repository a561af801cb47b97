"""A set of samples on a board and on this machine, compared bit by bit."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scanlet.errors import DeviceError, InputError
from scanlet.execution.device.board import Device

if TYPE_CHECKING:
    from scanlet.compiled import Compiled

#: Of the samples that differ, how many are listed.
LISTED = 10


@dataclass(frozen=True)
class Difference:
    """The largest between two sets of outputs: `steps` of stored integers, `error` of floats."""

    steps: int = 0
    error: float = 0.0

    def within(self, accepted: Difference) -> bool:
        return bool(self.steps <= accepted.steps and self.error <= accepted.error)

    def largest(self, other: Difference) -> Difference:
        return Difference(max(self.steps, other.steps), max(self.error, other.error))


@dataclass(frozen=True)
class BoardEvaluation:
    """How a board did on a set of samples.

    `equal` samples have the same output bits as `compared_with`, which is "tflm-host" or an
    emulated core. `integers` and `floats` say of which kinds outputs are, `accepted` is the
    difference that passes (see `evaluate_on_board`). `pairs` are (expected, found on the board,
    found here) classes where labels were given.
    """

    samples: int
    equal: int
    differing: tuple[int, ...]
    compared_with: str
    integers: bool
    floats: bool
    difference: Difference
    accepted: Difference
    pairs: tuple[tuple[int, int, int], ...]
    latency_us_mean: float
    latency_us_max: int
    seconds: float
    statistics: dict[str, Any]

    @property
    def passed(self) -> bool:
        return self.difference.within(self.accepted)

    @property
    def accuracy_board(self) -> float | None:
        return _share([expected == board for expected, board, _ in self.pairs])

    @property
    def accuracy_host(self) -> float | None:
        return _share([expected == host for expected, _, host in self.pairs])

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with what follows from the fields."""
        return {
            **asdict(self),
            "passed": self.passed,
            "accuracy_board": self.accuracy_board,
            "accuracy_host": self.accuracy_host,
        }


def check_model(device: Device, compiled: Compiled) -> None:
    """Raises DeviceError unless the board serves exactly this model."""
    expected = hashlib.sha256(compiled.tflite).hexdigest()
    if device.info.model_sha256 != expected:
        raise DeviceError(
            f"the board serves {device.info.model!r} with the hash "
            f"{device.info.model_sha256[:12]}..., the project's is {compiled.name!r} with "
            f"{expected[:12]}...",
            where=device.port,
            hint="build this project and flash it, or give the project that the board has",
        )


def evaluate_on_board(
    device: Device,
    compiled: Compiled,
    inputs: Sequence[np.ndarray],
    labels: Any = None,
    *,
    on: str | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> BoardEvaluation:
    """Run every sample from a clear state on the board and here, and compare.

    `inputs` are the model's, each (B, ...): in stream mode recordings of whole chunks. `labels`
    (B,) are class indices or names. Here is the TFLM interpreter: integers from a board with TFLM
    must have its bits; the plain C library may be INTEGER_STEPS apart (TFLM's kernels round some
    sums twice), and float32 the project's tolerance (a core with fused multiply-adds rounds
    differently). `on` names an emulated core that runs the library instead: nothing may differ.

    Raises DeviceError if the board serves another model, or does not answer; InputError if samples
    and labels do not fit the model, or if `on` is given for a board with TFLM.
    """
    check_model(device, compiled)
    if len(inputs) != len(compiled.inputs):
        raise InputError(f"the model has {len(compiled.inputs)} inputs, the data {len(inputs)}")
    sizes = {len(array) for array in inputs}
    if len(sizes) != 1 or sizes == {0}:
        raise InputError(f"the inputs hold {sorted(sizes)} samples")
    count = sizes.pop()
    expected = _expected_classes(compiled, labels, count)
    stored = [
        compiled.stored_inputs(compiled._batches(tuple(a[i : i + 1] for a in inputs)))
        for i in range(count)
    ]
    reference = _Interpreter(compiled) if on is None else _Core(device, compiled, on, stored)
    begin, first = time.monotonic(), len(device.latencies_us)
    differing: list[int] = []
    pairs: list[tuple[int, int, int]] = []
    found = Difference()
    for i, sample in enumerate(stored):
        board, here = _outputs(device, sample), reference.outputs(i, sample)
        if any(b.tobytes() != h.tobytes() for b, h in zip(board, here, strict=True)):
            differing.append(i)
            found = found.largest(_difference(board, here))
        if expected is not None:
            pairs.append((int(expected[i]), _class(board[0]), _class(here[0])))
        progress(i + 1, count)
    latencies = device.latencies_us[first:]
    return BoardEvaluation(
        samples=count,
        equal=count - len(differing),
        differing=tuple(differing[:LISTED]),
        compared_with=on or "tflm-host",
        integers=any(tensor.dtype != "float32" for tensor in compiled.outputs),
        floats=any(tensor.dtype == "float32" for tensor in compiled.outputs),
        difference=found,
        accepted=reference.accepted(device),
        pairs=tuple(pairs),
        latency_us_mean=sum(latencies) / len(latencies),
        latency_us_max=max(latencies),
        seconds=time.monotonic() - begin,
        statistics=device.statistics(),
    )


class _Interpreter:
    """The TFLM interpreter of this machine."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled

    def outputs(self, _: int, sample: Sequence[np.ndarray]) -> list[np.ndarray]:
        return _outputs(self._compiled, sample)

    def accepted(self, device: Device) -> Difference:
        from scanlet.project_files import INTEGER_STEPS

        steps = INTEGER_STEPS if device.info.runs == "library" else 0
        return Difference(steps, self._compiled.golden.tolerance)


class _Core:
    """The library as machine code on an emulated core, with the plan that the board has."""

    def __init__(
        self, device: Device, compiled: Compiled, on: str, samples: Sequence[Sequence[np.ndarray]]
    ) -> None:
        from scanlet.execution.on_core import core_target

        if device.info.runs != "library":
            raise InputError(
                f"the board runs TensorFlow Lite Micro, the emulated {on} the plain C library",
                hint="compare with this machine's interpreter, which is TFLM, too",
            )
        self._compiled = compiled
        self._choice = compiled.planned_for(core_target(on), keep_plan=True)
        self._fused = compiled.target.has_fpu and compiled.target.project == "stm32"
        self._all: list[list[np.ndarray]] | None = None
        if compiled.mode != "stream":  # one program runs them all; a stream's begins at zero state
            self._all = self._run([tuple(sample) for sample in samples])

    def outputs(self, index: int, sample: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self._all is not None:
            return self._all[index]
        result = self._compiled._joined(self._run(self._compiled._calls(sample)))
        return list(result) if isinstance(result, tuple) else [result]

    def _run(self, calls: Sequence[tuple[np.ndarray, ...]]) -> list[list[np.ndarray]]:
        from scanlet.execution.on_core import run_on_core

        return run_on_core(self._choice.graph, self._choice.plan, calls, fused=self._fused)

    def accepted(self, _: Device) -> Difference:
        return Difference()


def _outputs(model: Device | Compiled, stored: Sequence[np.ndarray]) -> list[np.ndarray]:
    if model.mode == "stream":
        model.reset()
    result = model.run_raw(*stored)
    return list(result) if isinstance(result, tuple) else [result]


def _difference(board: Sequence[np.ndarray], here: Sequence[np.ndarray]) -> Difference:
    found = Difference()
    for b, h in zip(board, here, strict=True):
        with np.errstate(invalid="ignore"):
            apart = float(np.max(np.abs(b.astype(np.float64) - h.astype(np.float64))))
        if b.dtype == np.float32:  # what is no number on one side is infinitely far
            found = found.largest(Difference(error=float("inf") if np.isnan(apart) else apart))
        else:
            found = found.largest(Difference(steps=int(apart)))
    return found


def _class(scores: np.ndarray) -> int:
    """The winner at the last step."""
    return int(np.argmax(scores.reshape(-1, scores.shape[-1])[-1]))


def _expected_classes(compiled: Compiled, labels: Any, count: int) -> np.ndarray | None:
    if labels is None:
        return None
    from scanlet.reporting import class_indices

    expected = class_indices(np.asarray(labels), compiled.labels)
    if len(expected) != count:
        raise InputError(
            f"{count} samples and {len(expected)} labels",
            hint="give one label a sample, in the same order",
        )
    classes = compiled.outputs[0].shape[-1]
    if expected.min() < 0 or expected.max() >= classes:
        raise InputError(
            f"labels go from {expected.min()} to {expected.max()}, the model has {classes} classes"
        )
    return expected


def _share(right: Sequence[bool]) -> float | None:
    return sum(right) / len(right) if right else None
