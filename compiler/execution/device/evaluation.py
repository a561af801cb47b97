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
    from scanlet.emit.model_description import TensorDescription

#: Of the samples that differ, how many are listed.
LISTED = 10


@dataclass(frozen=True)
class BoardEvaluation:
    """How a board did on a set of samples.

    `equal` samples have the same output bits as on this machine; `max_difference` is the largest
    difference of an output (stored integers in steps, floats absolute), `accepted` what may be:
    0 for integers, and for float32 the project's tolerance, as a core with fused multiply-adds
    rounds differently. `pairs` are (expected, found on the board, found here) classes where labels
    were given.
    """

    samples: int
    equal: int
    differing: tuple[int, ...]
    max_difference: float
    accepted: float
    pairs: tuple[tuple[int, int, int], ...]
    latency_us_mean: float
    latency_us_max: int
    seconds: float
    statistics: dict[str, Any]

    @property
    def passed(self) -> bool:
        return bool(self.max_difference <= self.accepted)  # False for NaN

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
    progress: Callable[[int, int], None] = lambda *_: None,
) -> BoardEvaluation:
    """Run every sample from a clear state on the board and on this machine's interpreter.

    `inputs` are the model's, each (B, ...): in stream mode recordings of whole chunks. `labels`
    (B,) are class indices or names. Raises DeviceError if the board serves another model, or does
    not answer; InputError if samples and labels do not fit the model.
    """
    check_model(device, compiled)
    if len(inputs) != len(compiled.inputs):
        raise InputError(f"the model has {len(compiled.inputs)} inputs, the data {len(inputs)}")
    sizes = {len(array) for array in inputs}
    if len(sizes) != 1 or sizes == {0}:
        raise InputError(f"the inputs hold {sorted(sizes)} samples")
    count = sizes.pop()
    expected = _expected_classes(compiled, labels, count)
    accepted = compiled.golden.tolerance if _any_float(compiled.outputs) else 0.0
    begin, first = time.monotonic(), len(device.latencies_us)
    differing: list[int] = []
    pairs: list[tuple[int, int, int]] = []
    largest = 0.0
    for i in range(count):
        stored = compiled.stored_inputs(compiled._batches(tuple(a[i : i + 1] for a in inputs)))
        board, here = _outputs(device, stored), _outputs(compiled, stored)
        if any(b.tobytes() != h.tobytes() for b, h in zip(board, here, strict=True)):
            differing.append(i)
            largest = max(largest, _difference(board, here, compiled.outputs))
        if expected is not None:
            pairs.append((int(expected[i]), _class(board[0]), _class(here[0])))
        progress(i + 1, count)
    latencies = device.latencies_us[first:]
    return BoardEvaluation(
        samples=count,
        equal=count - len(differing),
        differing=tuple(differing[:LISTED]),
        max_difference=largest,
        accepted=accepted,
        pairs=tuple(pairs),
        latency_us_mean=sum(latencies) / len(latencies),
        latency_us_max=max(latencies),
        seconds=time.monotonic() - begin,
        statistics=device.statistics(),
    )


def _outputs(model: Device | Compiled, stored: Sequence[np.ndarray]) -> list[np.ndarray]:
    if model.mode == "stream":
        model.reset()
    result = model.run_raw(*stored)
    return list(result) if isinstance(result, tuple) else [result]


def _any_float(tensors: Sequence[TensorDescription]) -> bool:
    return any(tensor.dtype == "float32" for tensor in tensors)


def _difference(
    board: Sequence[np.ndarray], here: Sequence[np.ndarray], tensors: Sequence[TensorDescription]
) -> float:
    """Of integers counts what no tolerance accepts: infinite beside floats."""
    largest = 0.0
    mixed = _any_float(tensors)
    for b, h, tensor in zip(board, here, tensors, strict=True):
        with np.errstate(invalid="ignore"):
            apart = float(np.max(np.abs(b.astype(np.float64) - h.astype(np.float64))))
        if np.isnan(apart):
            apart = float("inf")
        if tensor.dtype != "float32" and mixed and apart:
            apart = float("inf")
        largest = max(largest, apart)
    return largest


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
