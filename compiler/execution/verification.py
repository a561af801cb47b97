"""Compare what the compiled model computes with what PyTorch computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scanlet.errors import VerificationError
from scanlet.execution.samples import Sample
from scanlet.progress import counted

#: Largest error of an output that is accepted, relative to the outputs' magnitude, by precision.
#: Integers are judged by their accuracy on data; this catches what went wrong altogether.
TOLERANCE = {"float32": 1e-4, "int8": 0.5, "int16x8": 0.1}

Runner = Callable[..., list[np.ndarray]]


@dataclass(frozen=True)
class Verification:
    """Errors over all outputs of all samples, absolute, and how often the largest class agrees.

    `scale` is the largest magnitude among the reference outputs (at least 1e-6); the model passes
    while max_error <= tolerance * scale. `label_agreement` is None where no output looks like
    class scores; `labels` are then the largest classes, (reference's, model's), a pair a sample.
    `accuracy`, where the samples' classes are known besides, is the share of right labels of
    PyTorch and of the compiled model. `magnitude` is the largest of the compiled model's own
    outputs (at least 1e-6).
    """

    samples: int
    mean_error: float
    max_error: float
    scale: float
    tolerance: float
    label_agreement: float | None
    ran_on: str
    labels: tuple[tuple[int, int], ...] = ()
    accuracy: tuple[float, float] | None = None
    magnitude: float = 0.0

    @property
    def passed(self) -> bool:
        return bool(self.max_error <= self.tolerance * self.scale)


def compare(
    outputs: Sequence[Sequence[np.ndarray]],
    references: Sequence[Sequence[np.ndarray]],
    *,
    tolerance: float,
    ran_on: str,
    classes: Sequence[int] | None = None,
) -> Verification:
    """Compare outputs with references, both [sample][output]; NaN where it differs counts as inf.

    A single output whose last axis is longer than 1 and whose other axes are 1 counts as scores;
    `classes` says which of them should be the largest, by sample.
    """
    errors: list[np.ndarray] = []
    scale = magnitude = 1e-6
    labels: list[tuple[int, int]] = []
    for output, reference in zip(outputs, references, strict=True):
        for got, want in zip(output, reference, strict=True):
            error = np.abs(got.astype(np.float64) - want.astype(np.float64))
            error[(got == want) | (np.isnan(got) & np.isnan(want))] = 0.0
            errors.append(np.nan_to_num(error, nan=np.inf, posinf=np.inf).ravel())
            finite = np.abs(want[np.isfinite(want)])
            scale = max(scale, float(finite.max()) if finite.size else 0.0)
            finite = np.abs(got[np.isfinite(got)])
            magnitude = max(magnitude, float(finite.max()) if finite.size else 0.0)
        if len(reference) == 1 and reference[0].size == reference[0].shape[-1] > 1:
            labels.append((int(np.argmax(reference[0])), int(np.argmax(output[0]))))
    everything = np.concatenate(errors)
    accuracy = None
    if labels and classes is not None:
        before, after = np.mean(np.array(labels) == np.asarray(classes)[:, np.newaxis], axis=0)
        accuracy = (float(before), float(after))
    return Verification(
        samples=len(outputs),
        mean_error=float(everything.mean()),
        max_error=float(everything.max()),
        scale=scale,
        tolerance=tolerance,
        label_agreement=float(np.mean([a == b for a, b in labels])) if labels else None,
        ran_on=ran_on,
        labels=tuple(labels),
        accuracy=accuracy,
        magnitude=magnitude,
    )


def verify(
    run: Runner,
    reference: Runner,
    samples: Sequence[Sample],
    *,
    tolerance: float,
    ran_on: str,
    classes: Sequence[int] | None = None,
) -> Verification:
    """Run every sample through both; raise VerificationError past the tolerance."""
    outputs = [run(*sample) for sample in counted(samples, "running the compiled model")]
    references = [reference(*sample) for sample in counted(samples, "running PyTorch")]
    result = compare(outputs, references, tolerance=tolerance, ran_on=ran_on, classes=classes)
    if not result.passed:
        raise VerificationError(
            f"the compiled model deviates from PyTorch: largest error {result.max_error:.3g} on "
            f"outputs of magnitude {result.scale:.3g} ({result.samples} samples, {ran_on}), "
            f"{tolerance * result.scale:.3g} is accepted",
            hint="if the model is that sensitive to rounding, raise tolerance=",
        )
    return result
