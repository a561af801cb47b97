"""The last step of compiling: what the flatbuffer computes, beside what PyTorch computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scanlet.compilation import golden
from scanlet.compiled import Compiled
from scanlet.errors import InputError, MissingToolError, VerificationError
from scanlet.execution.samples import Sample
from scanlet.execution.streams import at_the_end, chunks_of, meaning, run_stream, steps
from scanlet.graph import Graph
from scanlet.passes import ExponentialMean, Stream, StreamShape

Reference = Callable[..., list[np.ndarray]]


def verify_compiled(
    compiled: Compiled,
    reference: Reference,
    samples: list[Sample],
    tolerance: float | None,
    classes: Sequence[int] | None = None,
) -> None:
    """Fill in `golden` and `verification`; raise VerificationError if the result deviates.

    `classes`: which output should be the largest, by sample.
    """
    from scanlet.execution.verification import TOLERANCE, verify

    relative = TOLERANCE[compiled.precision] if tolerance is None else float(tolerance)
    if not relative > 0:
        raise InputError(f"tolerance is {tolerance}; it is a positive number")
    graph = compiled.graph
    assert graph is not None, "just built"
    ran_on, native = "tflm-host", None
    try:
        _ = compiled.interpreter
    except MissingToolError as error:
        native = golden.native_library(compiled)
        ran_on = "numpy" if native is None else "generic-c"
        what = "the graph" if native is None else "the generic C library"
        compiled.warnings.append(f"the flatbuffer was not verified, only {what}: {error.message}")

    def from_reset(*sample: np.ndarray) -> list[np.ndarray]:
        stored = compiled.stored_inputs(sample)
        if ran_on == "tflm-host":
            compiled.reset()
            return _whole(compiled.interpreter.run, stored, compiled.stream)
        if native is not None:
            return _whole(native.from_reset(), stored, compiled.stream)
        carried: dict = {}
        return _whole(
            lambda *part: graph.evaluate(part, "float32", carried), stored, compiled.stream
        )

    try:
        compiled.verification = verify(
            lambda *sample: compiled.real_outputs(from_reset(*sample)),
            reference,
            samples,
            tolerance=relative,
            ran_on=ran_on,
            classes=classes,
        )
    except VerificationError as error:
        if compiled.quantized is None:
            raise
        raise VerificationError(error.message, hint=_quantization_hint(compiled)) from error
    if ran_on == "tflm-host":
        compiled.reset()  # a stream begins with what the user runs first
    chosen = samples[: golden.SAMPLES]
    if compiled.stream is not None:  # one call each
        chosen = [next(chunks_of(sample, compiled.stream)) for sample in chosen]
    compiled.golden = golden.golden_vectors(
        compiled, chosen, reference, compiled.verification, relative
    )


def stream_reference(
    reference: Reference, graph: Graph, how: Stream, shape: StreamShape
) -> Reference:
    """What a streamed model's outputs are behind a whole sequence: PyTorch's own for a sequence as
    long as the one captured, where the pooling over the stream is the model's; else the meaning
    of the legal float `graph`."""
    pooling = how.pooling
    own = (
        pooling in (None, "mean")
        or (pooling == "chunk" and shape.chunk == shape.captured)
        or (isinstance(pooling, ExponentialMean) and pooling.steps >= shape.captured)
    )
    stated = meaning(graph, shape)

    def run(*sample: np.ndarray) -> list[np.ndarray]:
        if own and steps(sample, shape) == shape.captured:
            return reference(*sample)
        return [array.astype(np.float32) for array in stated(*sample)]

    return run


def _whole(
    run: Reference, sample: Sequence[np.ndarray], stream: StreamShape | None
) -> list[np.ndarray]:
    if stream is None:
        return run(*sample)
    return at_the_end(run_stream(run, sample, stream), stream)


def _quantization_hint(compiled: Compiled) -> str:
    """What to try where integers deviate too much: names the worst tensor, repeats warnings."""
    assert compiled.quantized is not None
    worst = [row for row in compiled.quantized.sensitivity if row.dtype != "float32"][:1]
    tries = ['precision="int16x8"'] if compiled.precision == "int8" else []
    tries += [
        f"float_modules= with the module of {row.name!r}, the worst tensor ({row.noise_db:.1f} dB)"
        for row in worst
    ]
    return "\n".join([f"try {', or '.join(tries)}, or raise tolerance=", *compiled.warnings])
