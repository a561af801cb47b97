"""Calibration: the legal float graph on real samples, and what its tensors looked like."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scanlet.errors import CalibrationError
from scanlet.execution.samples import Sample, as_samples
from scanlet.execution.streams import chunks_of
from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import FLOAT_LAYERS, Conv1d, Linear, SelectiveSSM
from scanlet.passes import StreamShape, rechunk
from scanlet.progress import step
from scanlet.quantization.batched import BatchedGraph, largest_tensor
from scanlet.quantization.histogram import Histogram
from scanlet.quantization.mixer_statistics import (
    MixerCollector,
    MixerStatistics,
    Moments,
    MomentSum,
    Range,
)
from scanlet.quantization.observers import make_observer
from scanlet.quantization.outliers import outlying_samples
from scanlet.quantization.tensor_statistics import TensorStatistics

#: Samples, and array elements, that are evaluated at once.
BATCH, BATCH_ELEMENTS = 32, 2_000_000
#: Products with more inputs are rounded without moments: H would not be small any more.
MAX_MOMENT_WIDTH = 2048
#: A warning is due where a range cuts off more of the values, or cuts one to less than a part,
MUCH_CLIPPED, DEEPLY_CLIPPED = 0.001, 0.5
#: or where all but this share of the values (at each end) are within a few of the 255 steps.
OUTLIERS, FEW_STEPS = 0.001, 24


@dataclass
class Calibration:
    """What the float graph did on the samples; tensors by name, mixers by their output's name."""

    samples: int
    tensors: dict[str, TensorStatistics] = field(default_factory=dict)
    mixers: dict[str, MixerStatistics] = field(default_factory=dict)
    products: dict[str, Moments] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def range(self, name: str) -> Range:
        """(low, high) to quantize an activation with. Raises CalibrationError if unknown."""
        if name not in self.tensors:
            raise CalibrationError(f"tensor {name!r} was not seen in calibration")
        return self.tensors[name].low, self.tensors[name].high

    def moments(self, output_name: str) -> Moments | None:
        """E[x x^T] and E[x] of the input of the Linear, or of the windows (tap by tap, as the
        weight is laid out) of the Conv1d, that computes that tensor. None for a depthwise Conv1d
        and for very wide products."""
        return self.products.get(output_name)


def calibrate(
    graph: Graph,
    samples: Iterable[Any] | None,
    *,
    observer: str = "minmax",
    stream: StreamShape | None = None,
) -> Calibration:
    """Run `samples` through a legal float graph and collect what quantization needs.

    Args:
        graph: what `passes.run` returns. Without `stream`, mixers in stream mode take the samples
            for consecutive chunks of one stream.
        samples: inputs, each an array or tensor of the input's shape, or a tuple of them.
        observer: how the ranges of tensors are chosen: "minmax", "percentile" (99.99 at each
            end) or "mse" (least squared error in int8). Outputs are never clipped, and stages
            inside of mixers neither: int16 has room for them.
        stream: each sample is a stream of its own, of any number of chunks. It is taken in the
            smallest steps that the graph knows, so that the chunks' length changes no range.

    Computes in float32. Raises CalibrationError where there is no data or a tensor becomes NaN
    or infinite, InputError where a sample does not fit. Whatever else is suspicious is among the
    result's warnings.
    """
    hint = "give some hundred inputs as they occur in use, for instance from the training set"
    if samples is None:
        raise CalibrationError("integer precisions need calibration data", hint=hint)
    checked = as_samples(samples, graph.inputs, "calibration_data", stream)
    if stream is not None:
        stream = replace(stream, chunk=stream.least)
        graph = graph.copy()
        rechunk(graph, stream.chunk)
    collector = _Collector(graph, observer)
    runner = BatchedGraph(graph, {**collector.mixers})
    done = 0
    for group in _batches(checked, graph, stream):
        step("calibrating", done, len(checked), f"{done:,}/{len(checked):,} samples")
        if stream is not None:
            runner.reset()
        chunks = [
            [sample] if stream is None else list(chunks_of(sample, stream)) for sample in group
        ]
        for parts in zip(*chunks, strict=True):
            batch = _stacked(parts)
            with np.errstate(all="ignore"):  # what overflows is found and named
                for tensor, array in zip(graph.inputs, batch, strict=True):
                    collector.tensor(tensor, array)
                runner.run(batch, collector.node)
        done += len(group)
    return collector.result(len(checked))


def _batches(
    samples: list[Sample], graph: Graph, stream: StreamShape | None
) -> Iterator[list[Sample]]:
    """Samples to evaluate together: of the same length."""
    size = _batch_size(graph, independent=stream is not None)
    group: list[Sample] = []
    for sample in samples:
        same = not group or all(a.shape == b.shape for a, b in zip(group[0], sample, strict=True))
        if not same or len(group) == size:
            yield group
            group = []
        group.append(sample)
    yield group


class _Collector:
    """Histograms, observers and moments of all tensors, while the batches come in."""

    def __init__(self, graph: Graph, observer: str) -> None:
        self.graph = graph
        self.kinds = {
            tensor.name: "minmax" if graph.is_output(tensor) else observer
            for tensor in graph.tensors()
            if tensor.data is None and tensor.dtype == "float32"
        }
        self.observers = {name: make_observer(kind, name) for name, kind in self.kinds.items()}
        self.histograms = {name: Histogram() for name in self.kinds}
        self.peaks: dict[str, list[np.ndarray]] = {}  # largest magnitudes by sample
        self.sums: dict[str, MomentSum] = {}
        self.mixers = {
            node.output.name: MixerCollector(node)
            for node in graph.nodes
            if isinstance(node.op, SelectiveSSM)
        }

    def tensor(self, tensor: Tensor, values: np.ndarray) -> None:
        if tensor.name in self.observers:
            self.observers[tensor.name].update(values)
            self.histograms[tensor.name].update(values)
            rows = values.reshape(len(values), -1)
            self.peaks.setdefault(tensor.name, []).append(
                np.maximum(rows.max(axis=1, initial=0), -rows.min(axis=1, initial=0))
            )

    def node(self, node: Node, arrays: list[np.ndarray], output: np.ndarray) -> None:
        self.tensor(node.output, output)
        if isinstance(node.op, (Linear, Conv1d)):
            vectors = _product_inputs(node, arrays[0])
            if vectors is not None:
                name = node.output.name
                if name not in self.sums:
                    self.sums[name] = MomentSum(vectors.shape[-1])
                self.sums[name].update(vectors)

    def result(self, samples: int) -> Calibration:
        made = Calibration(samples)
        if samples == 1:
            made.warnings.append(
                "calibrated with a single sample: whatever exceeds its range will saturate; "
                "give some hundred inputs as they occur in use"
            )
        for name in self.observers:
            made.tensors[name] = self._statistics(name)
            made.warnings += _warnings(made.tensors[name], self.histograms[name])
        peaks = {name: np.concatenate(parts) for name, parts in self.peaks.items()}
        made.warnings += outlying_samples(made.tensors, peaks, self.histograms)
        for name, mixer in self.mixers.items():
            made.mixers[name] = mixer.statistics(made.range(name))
            zero = mixer.zero_stages()
            if zero:
                made.warnings.append(
                    f"mixer {mixer.name!r}: {', '.join(zero)} are zero on all samples; their "
                    "scales are guesses, so other inputs may saturate"
                )
        made.products = {name: total.result() for name, total in self.sums.items()}
        return made

    def _statistics(self, name: str) -> TensorStatistics:
        low, high = (float(bound) for bound in self.observers[name].range())
        histogram = self.histograms[name]
        noise = histogram.noise(np.array(min(low, 0.0)), np.array(max(high, 0.0)), 256)
        return TensorStatistics(
            name=name,
            low=low,
            high=high,
            minimum=histogram.minimum,
            maximum=histogram.maximum,
            clipped=histogram.outside(low, high) / histogram.total,
            noise_db=decibels(histogram.power(), float(noise)),
            observer=self.kinds[name],
        )


def decibels(signal: float, noise: float) -> float:
    """10 log10 of the ratio of two mean squares; infinite without noise, even of no signal."""
    if noise <= 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def _warnings(seen: TensorStatistics, histogram: Histogram) -> list[str]:
    if seen.minimum == seen.maximum:
        return [
            f"tensor {seen.name!r} is {seen.minimum:.6g} on all samples: its scale fits no other "
            "value, so what deviates will saturate"
        ]
    warnings = []
    deeply = seen.maximum * DEEPLY_CLIPPED > max(
        seen.high, 0.0
    ) or seen.minimum * DEEPLY_CLIPPED < min(seen.low, 0.0)
    if seen.clipped > MUCH_CLIPPED or deeply:
        warnings.append(
            f"tensor {seen.name!r}: {seen.clipped:.2%} of its values saturate in the range "
            f"[{seen.low:.6g}, {seen.high:.6g}] that {seen.observer!r} chose of "
            f"[{seen.minimum:.6g}, {seen.maximum:.6g}]"
        )
    low, high = histogram.trimmed(OUTLIERS, zeros=False)
    span = max(seen.high, 0.0) - min(seen.low, 0.0)
    steps = 255 * (high - low) / span
    if seen.observer == "minmax" and high > low and steps < FEW_STEPS:
        warnings.append(
            f"tensor {seen.name!r}: a few outliers in [{seen.minimum:.6g}, {seen.maximum:.6g}] "
            f"leave {steps:.0f} of 255 int8 steps to {1 - 2 * OUTLIERS:.1%} of its non-zero "
            f"values, which are in [{low:.6g}, {high:.6g}]; int16x8, or an observer that clips, "
            "would keep more of them"
        )
    return warnings


def _product_inputs(node: Node, x: np.ndarray) -> np.ndarray | None:
    """The vectors (..., K) that a product multiplies with its rows, x being (B, *shape)."""
    weight = node.inputs[1]
    if math.prod(weight.shape[1:]) > MAX_MOMENT_WIDTH or weight.data is None:
        return None
    op = node.op
    if not isinstance(op, Conv1d):
        return x
    if op.groups != 1:
        return None
    padded = np.pad(x[:, 0], ((0, 0), op.padding, (0, 0)))
    steps, taps = node.output.shape[1], weight.shape[1]
    last = op.stride * (steps - 1) + 1
    windows = [
        padded[:, tap * op.dilation : tap * op.dilation + last : op.stride] for tap in range(taps)
    ]
    return np.concatenate(windows, axis=-1)


def _batch_size(graph: Graph, *, independent: bool) -> int:
    streams = any(isinstance(n.op, FLOAT_LAYERS) and n.op.mode == "stream" for n in graph.nodes)
    if streams and not independent:
        return 1
    return max(1, min(BATCH, BATCH_ELEMENTS // largest_tensor(graph)))


def _stacked(samples: Sequence[Sample]) -> list[np.ndarray]:
    return [np.stack(arrays) for arrays in zip(*samples, strict=True)]
