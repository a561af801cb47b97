"""Quantize a legal float graph on calibration data, and say what that costs in accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanlet.execution.samples import Sample
from scanlet.graph import Graph
from scanlet.passes import StreamShape
from scanlet.quantization.calibration import calibrate
from scanlet.quantization.integer_support import Island
from scanlet.quantization.network import quantize_graph
from scanlet.quantization.sensitivity import Sensitivity, sensitivities

#: Samples that signal-to-quantization-noise is measured with: the integer reference is exact, not
#: fast.
SENSITIVITY_SAMPLES = 8


@dataclass(frozen=True)
class Quantized:
    """A graph on stored integers, what of it stays in float, and what rounding does to it.

    `state` is how mixers hold their state, `observer` how ranges were chosen, `sensitivity`
    signal-to-quantization-noise by tensor, worst first.
    """

    graph: Graph
    state: str
    observer: str
    islands: tuple[Island, ...]
    warnings: tuple[str, ...]
    sensitivity: tuple[Sensitivity, ...]


def quantize(
    graph: Graph,
    samples: Sequence[Sample],
    *,
    precision: str,
    state: str,
    float_modules: Sequence[str] = (),
    observer: str = "minmax",
    stream: StreamShape | None = None,
) -> Quantized:
    """Calibrate `graph` on `samples` (of a stream, each from a reset on) and quantize it.

    Raises CalibrationError and InputError.
    """
    calibration = calibrate(graph, samples, observer=observer, stream=stream)
    made = quantize_graph(
        graph, calibration, precision=precision, float_modules=float_modules, state=state
    )
    chosen = np.linspace(0, len(samples) - 1, min(SENSITIVITY_SAMPLES, len(samples))).astype(int)
    noise = sensitivities(graph, made.graph, [samples[i] for i in chosen], stream)
    warnings = (*calibration.warnings, *made.warnings)
    return Quantized(made.graph, state, observer, made.islands, warnings, tuple(noise))
