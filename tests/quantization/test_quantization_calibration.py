"""Calibration: what is collected, against traces one sample at a time, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from small_networks import F, L, add_mixer, draw, new_graph, weight

from scanlet.errors import CalibrationError, InputError
from scanlet.graph import Graph, Node, Tensor, constant
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Gather,
    Linear,
    Pool1d,
    Reduce,
    Reshape,
    Softmax,
    StridedSlice,
    Transpose,
    Unary,
)
from scanlet.progress import told
from scanlet.quantization.batched import BatchedGraph
from scanlet.quantization.calibration import calibrate
from scanlet.quantization.observers import OBSERVERS
from scanlet.quantization.parameters import for_range


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def mixed_graph(rng: np.random.Generator) -> Graph:
    """Most operators at least once, among them such that do not take batches."""
    graph, x = new_graph()
    tokens = Tensor("tokens", (1, L), "int32")
    graph.inputs.append(tokens)
    embedded = graph.add(
        Gather(0), [weight(rng, "table", 9, F), tokens], name="embedded", dtype="float32"
    )
    x = graph.add(Binary("add"), [x, embedded], name="sum")
    x = graph.add(Binary("mul"), [x, weight(rng, "gains", F)], name="scaled")
    x = graph.add(
        Conv1d(padding=(1, 1)), [x, weight(rng, "taps", F, 3, F), weight(rng, "b", F)], name="conv"
    )
    x = graph.add(Unary("tanh"), [x], name="tanh")
    x, _ = add_mixer(graph, x, rng, {"norm_weight"}, norm="rms", residual=True, norm_eps=1e-5)
    turned = graph.add(Transpose((0, 2, 1)), [x], name="turned")
    x = graph.add(Transpose((0, 2, 1)), [turned], name="back")
    x = graph.add(Concatenate(1), [x, embedded], name="joined")
    x = graph.add(StridedSlice((0, 2, 0), (1, 2 * L, F), (1, 1, 1)), [x], name="cut")
    x = graph.add(Pool1d("max", 2, 2), [x], name="pooled")
    maximum = graph.add(Reduce("max", (2,), keepdims=True), [x], name="maximum")
    x = graph.add(Binary("sub"), [x, maximum], name="shifted")
    x = graph.add(Reduce("mean", (1,)), [x], name="mean")
    x = graph.add(Linear("relu"), [x, weight(rng, "w", 4, F), weight(rng, "c", 4)], name="linear")
    x = graph.add(Reshape((4,)), [x], name="flat")
    x = graph.add(Reshape((1, 4)), [x], name="again")
    graph.outputs = [graph.add(Softmax(), [x], name="scores")]
    graph.validate()
    return graph


def test_a_batch_means_what_its_samples_mean_one_by_one(rng: np.random.Generator) -> None:
    graph = mixed_graph(rng)
    samples = [(x, rng.integers(0, 9, (1, L)).astype(np.int32)) for x in draw(rng, 5)]
    seen: dict[str, np.ndarray] = {}

    def visit(node: Node, _inputs: list[np.ndarray], output: np.ndarray) -> None:
        seen[node.output.name] = output

    batch = [np.stack(arrays) for arrays in zip(*samples, strict=True)]
    BatchedGraph(graph, {}, "float64").run(batch, visit)
    for i, sample in enumerate(samples):
        for name, value in graph.trace(sample).items():
            if name not in ("x", "tokens"):
                assert_allclose(seen[name][i], value, atol=1e-12, err_msg=name)


def test_the_ranges_are_those_of_all_activations_of_all_samples(rng: np.random.Generator) -> None:
    graph = mixed_graph(rng)
    samples = [(x, rng.integers(0, 9, (1, L)).astype(np.int32)) for x in draw(rng, 70)]
    calibration = calibrate(graph, samples)
    traces = [graph.trace(sample) for sample in samples]
    assert set(calibration.tensors) == set(traces[0]) - {"tokens"}
    for name in calibration.tensors:
        values = np.array([trace[name] for trace in traces])
        assert_allclose(calibration.range(name), (values.min(), values.max()), rtol=1e-4, atol=1e-5)
    assert calibration.samples == 70


def test_the_moments_of_products_are_those_of_their_inputs(rng: np.random.Generator) -> None:
    graph, x = new_graph()
    taps = weight(rng, "taps", 8, 3, F)
    conv = Conv1d(stride=2, padding=(2, 1), dilation=2)
    y = graph.add(conv, [x, taps], name="conv")
    depthwise = graph.add(Conv1d(groups=8), [y, weight(rng, "dw", 8, 2, 1)], name="depthwise")
    graph.outputs = [graph.add(Linear(), [depthwise, weight(rng, "w", 3, 8)], name="linear")]
    samples = draw(rng, 40)
    calibration = calibrate(graph, samples)
    stacked = torch.from_numpy(np.concatenate(samples)).mT  # (B, F, L)
    padded = torch.nn.functional.pad(stacked, (2, 1))
    steps = y.shape[1]
    windows = torch.stack(
        [padded[:, :, tap * 2 : tap * 2 + 2 * steps - 1 : 2] for tap in range(3)]
    )  # (taps, B, F, steps)
    rows = windows.permute(1, 3, 0, 2).reshape(-1, 3 * F).numpy()
    wanted = torch.nn.functional.conv1d(
        stacked, torch.from_numpy(taps.data).mT.contiguous(), stride=2, padding=0, dilation=2
    )  # the unpadded middle, by torch, checks that the windows are laid out as the weight is
    assert_allclose(
        (rows @ taps.data.reshape(8, -1).T).reshape(40, steps, 8)[:, 1, 0], wanted[:, 0, 0]
    )
    second, first = calibration.moments("conv") or (None, None)
    assert_allclose(second, rows.T @ rows / len(rows), atol=1e-5)
    assert_allclose(first, rows.mean(axis=0), atol=1e-5)
    assert calibration.moments("depthwise") is None
    inputs = np.concatenate([graph.trace([s])["depthwise"] for s in samples]).reshape(-1, 8)
    second, first = calibration.moments("linear") or (None, None)
    assert_allclose(second, inputs.T @ inputs / len(inputs), atol=1e-4)
    assert_allclose(first, inputs.mean(axis=0), atol=1e-5)


def linear_graph(rng: np.random.Generator, activation: str | None = None) -> Graph:
    graph, x = new_graph()
    hidden = graph.add(Linear(activation), [x, weight(rng, "w", 8, F)], name="hidden")
    graph.outputs = [graph.add(Linear(), [hidden, weight(rng, "v", 3, 8)], name="scores")]
    return graph


def test_the_chosen_observer_sees_all_but_the_outputs(rng: np.random.Generator) -> None:
    graph = linear_graph(rng)
    samples = [rng.laplace(size=(1, L, F)) ** 3 for _ in range(1000)]
    ranges = {kind: calibrate(graph, samples, observer=kind) for kind in OBSERVERS}
    plain = ranges["minmax"].tensors
    for kind in ("percentile", "mse"):
        for name in ("x", "hidden"):
            chosen = ranges[kind].tensors[name]
            assert chosen.high - chosen.low < plain[name].high - plain[name].low
            assert chosen.clipped > 0 == plain[name].clipped
            assert chosen.observer == kind
        assert ranges[kind].range("scores") == ranges["minmax"].range("scores")
    assert ranges["mse"].tensors["x"].noise_db > plain["x"].noise_db
    with pytest.raises(InputError, match="entropy"):
        calibrate(graph, samples, observer="entropy")


def test_the_stated_noise_is_that_of_int8_in_the_range(rng: np.random.Generator) -> None:
    samples = draw(rng, 300)
    found = calibrate(linear_graph(rng), samples, observer="mse").tensors["x"]
    values = np.concatenate(samples).ravel()
    made = for_range(found.low, found.high, "int8")
    scale, zero_point = made.scales[0], made.zero_points[0]
    stored = np.clip(np.round(values / scale) + zero_point, -128, 127)
    error = np.mean(((stored - zero_point) * scale - values) ** 2)
    assert_allclose(found.noise_db, 10 * np.log10(np.mean(values**2) / error), atol=0.2)
    assert_allclose(found.clipped, np.mean((values < found.low) | (values > found.high)), atol=2e-3)


def test_progress_says_how_far_it_is(rng: np.random.Generator) -> None:
    steps: list[tuple] = []
    listener = SimpleNamespace(stage=steps.append, step=lambda *step: steps.append(step))
    with told(listener):  # type: ignore[arg-type]
        calibrate(linear_graph(rng), draw(rng, 40))
    assert steps == [
        ("calibrating", 0, 40, "0/40 samples"),
        ("calibrating", 32, 40, "32/40 samples"),
    ]


def test_good_data_gives_no_warning(rng: np.random.Generator) -> None:
    graph = mixed_graph(rng)
    samples = [(x, rng.integers(0, 9, (1, L)).astype(np.int32)) for x in draw(rng, 70)]
    assert calibrate(graph, samples).warnings == []


def test_a_single_sample_is_warned_of(rng: np.random.Generator) -> None:
    warnings = calibrate(linear_graph(rng), draw(rng, 1)).warnings
    assert len(warnings) == 1
    assert "single sample" in warnings[0]
    assert "saturate" in warnings[0]


def test_a_constant_tensor_is_warned_of_and_has_a_usable_scale(rng: np.random.Generator) -> None:
    graph = linear_graph(rng, "relu")
    graph.nodes[0].inputs.append(constant("b", np.full(8, -100.0)))
    calibration = calibrate(graph, draw(rng, 4))
    assert [w for w in calibration.warnings if "'hidden' is 0 on all samples" in w]
    assert calibration.range("hidden") == (0, 0)
    assert for_range(0.0, 0.0, "int8").scales[0] > 0


def test_outliers_that_take_the_range_are_warned_of(rng: np.random.Generator) -> None:
    samples = draw(rng, 60)
    samples[7][0, 0, 0] = 5000.0
    warnings = calibrate(linear_graph(rng), samples).warnings
    assert any("tensor 'x'" in w and "outliers" in w for w in warnings)


def test_sparse_tensors_are_not_taken_for_outliers(rng: np.random.Generator) -> None:
    samples = draw(rng, 60)
    for sample in samples:
        sample[rng.random(sample.shape) < 0.999] = 0
    warnings = calibrate(linear_graph(rng), samples).warnings
    assert not any("'x'" in w for w in warnings)


def test_a_range_that_saturates_is_warned_of(rng: np.random.Generator) -> None:
    samples = draw(rng, 400)
    samples[9][0, 0, 0] = 50.0
    for kind, warned in (("percentile", True), ("minmax", False)):
        calibration = calibrate(linear_graph(rng), samples, observer=kind)
        assert (calibration.tensors["x"].high < 20) == warned
        found = [w for w in calibration.warnings if "'x'" in w and "saturate" in w]
        assert bool(found) == warned


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (lambda _: None, CalibrationError, "need calibration data"),
        (lambda _: iter(()), InputError, "no samples"),
        (lambda _: 3, InputError, "a list of samples expected, got int"),
        (lambda x: [x, x[:, :-1]], InputError, r"calibration_data\[1\].*'x' has shape"),
        (lambda x: [x, x * np.nan], InputError, r"calibration_data\[1\].*'x' is NaN"),
        (lambda x: x, InputError, "batch dimension of 1"),
    ],
)
def test_unfit_data_is_refused(
    data: Callable[[np.ndarray], Any],
    error: type[Exception],
    message: str,
    rng: np.random.Generator,
) -> None:
    with pytest.raises(error, match=message):
        calibrate(linear_graph(rng), data(draw(rng, 1)[0]))


def test_a_tensor_that_overflows_is_named() -> None:
    graph, x = new_graph()
    y = graph.add(Unary("exp"), [x], name="block.exp")
    graph.outputs = [graph.add(Unary("log"), [y], name="block.log")]
    with pytest.raises(CalibrationError, match=re.escape("block.exp") + ".*infinite"):
        calibrate(graph, [np.full((1, L, F), 1000.0)])
    with pytest.raises(CalibrationError, match=re.escape("block.log") + ".*infinite"):
        calibrate(graph, [np.full((1, L, F), -1000.0)])


def test_an_unknown_tensor_has_no_range(rng: np.random.Generator) -> None:
    with pytest.raises(CalibrationError, match="nobody"):
        calibrate(linear_graph(rng), draw(rng, 2)).range("nobody")
