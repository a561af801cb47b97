"""Golden vectors: what a device should compute, bit by bit, for a few of the samples.

They are those of the generic C library, built for this machine without fused multiply-adds: no
BLAS and no other library takes part, so that they are the same wherever they are made. PyTorch has
its say before: the library must be as close to it as the flatbuffer is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scanlet.compiled import Compiled, Golden
from scanlet.errors import MissingToolError, VerificationError
from scanlet.execution.samples import Sample

if TYPE_CHECKING:
    from scanlet.execution.native import NativeLibrary
    from scanlet.execution.verification import Verification

SAMPLES = 3
#: Steps of the output's scale by which integers may differ on a device: its own kernels round on
#: their own, and floats within the network (islands, float state) are fused there.
DEVICE_STEPS = 4


def golden_vectors(
    compiled: Compiled,
    samples: Sequence[Sample],
    reference: Callable[..., list[np.ndarray]],
    verification: Verification,
    relative: float,
) -> Golden:
    """Of the first `samples`, each one call from a clear state.

    `reference` is PyTorch, `relative` the error that is accepted: here relative to the outputs of
    PyTorch as in `verification`, on a device to those of the model. Raises VerificationError if
    the C library deviates from PyTorch by more.
    """
    chosen = list(samples[:SAMPLES])
    stored, made_by = _run(compiled, [compiled.stored_inputs(sample) for sample in chosen])
    outputs = [tuple(compiled.real_outputs(arrays)) for arrays in stored]
    expected = [reference(*sample) for sample in chosen]
    _check(outputs, expected, relative * verification.scale, made_by)
    accepted = relative * verification.magnitude
    quanta = [t.quantization.scales[0] for t in compiled.outputs if t.quantization]
    if quanta:  # what integers did here, they do on the device, but for some steps
        accepted = min(accepted, _deviation(compiled, chosen, outputs) + DEVICE_STEPS * max(quanta))
    return Golden(tuple(chosen), tuple(outputs), float(accepted), made_by)


def _run(
    compiled: Compiled, stored: Sequence[Sequence[np.ndarray]]
) -> tuple[list[list[np.ndarray]], str]:
    graph = compiled.graph
    assert graph is not None, "just built"
    library = native_library(compiled)
    if library is None:
        compiled.warnings.append(
            "the golden vectors are NumPy's, for want of a C compiler: made on another machine, "
            "they may differ in their last bits"
        )
        return [graph.evaluate(arrays, "float32") for arrays in stored], "numpy"
    return [library.run_once(*arrays) for arrays in stored], "generic-c"


def native_library(compiled: Compiled) -> NativeLibrary | None:
    """The network as C on this machine; None if there is no compiler for it."""
    from scanlet.execution.native import NativeLibrary

    assert compiled.graph is not None, "just built"
    assert compiled.plan is not None, "just built"
    try:
        return NativeLibrary(compiled.graph, tile=compiled.plan.tile)
    except MissingToolError:
        return None


def _check(
    outputs: Sequence[Sample], references: Sequence[Sequence[np.ndarray]], accepted: float, by: str
) -> None:
    worst = max(
        float(np.max(np.abs(got.astype(np.float64) - want), initial=0.0))
        for sample, expected in zip(outputs, references, strict=True)
        for got, want in zip(sample, expected, strict=True)
    )
    if not worst <= accepted:  # also NaN
        raise VerificationError(
            f"the golden vectors ({by}) deviate from PyTorch: largest error {worst:.3g}, "
            f"{accepted:.3g} is accepted",
            hint="if the model is that sensitive to rounding, raise tolerance=",
        )


def _deviation(compiled: Compiled, chosen: Sequence[Sample], outputs: Sequence[Sample]) -> float:
    """How far TFLM's own kernels are from the library on this machine; 0 without interpreter."""
    try:
        interpreter = compiled.interpreter
    except MissingToolError:
        return 0.0
    worst = 0.0
    for sample, expected in zip(chosen, outputs, strict=True):
        compiled.reset()
        found = compiled.real_outputs(interpreter.run(*compiled.stored_inputs(sample)))
        for got, want in zip(found, expected, strict=True):
            worst = max(worst, float(np.max(np.abs(got.astype(np.float64) - want), initial=0.0)))
    compiled.reset()
    return worst
