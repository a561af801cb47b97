"""scanlet.compile as a user calls it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import scanlet
from scanlet.targets import ALL


def torch_run(model: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(x)).numpy()


def samples(count: int, length: int = 12, features: int = 5) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((count, length, features)).astype(np.float32)


def test_a_batch_runs_as_pytorch_does(classifier, compiled):
    x = samples(6)
    np.testing.assert_allclose(compiled.run(x), torch_run(classifier, x), atol=2e-6)


def test_one_sample_keeps_its_batch_dimension(compiled):
    x = samples(1)
    assert compiled.run(x).shape == (1, 3)
    np.testing.assert_array_equal(compiled.run(torch.from_numpy(x)), compiled.run(x))
    np.testing.assert_array_equal(compiled.run_raw(x), compiled.run(x))


def test_report_tells_sizes_arena_and_errors(compiled):
    report = compiled.report
    assert report["sizes"]["flatbuffer_bytes"] == len(compiled.tflite)
    assert report["arena"]["reserved_bytes"] > report["arena"]["needed_bytes"] > 0
    assert 0 < report["verification"]["max_error"] <= report["verification"]["tolerance"]
    assert [op["name"] for op in report["operators"]].count("SELECTIVE_SSM") == 1
    assert report["mixers"][0]["path"] == "mixer"


def test_normalization_is_folded_so_that_raw_values_go_in(classifier):
    mean, std = np.array([1.0, -2.0, 0.0, 5.0, 3.0]), np.array([2.0, 0.5, 1.0, 4.0, 0.1])
    raw = scanlet.compile(
        classifier, torch.zeros(1, 12, 5), normalization=(mean, std), progress=False
    )
    x = samples(4) * std + mean
    expected = torch_run(classifier, ((x - mean) / std).astype(np.float32))
    np.testing.assert_allclose(raw.run(x.astype(np.float32)), expected, atol=2e-5)
    plain = scanlet.compile(classifier, torch.zeros(1, 12, 5), progress=False)
    assert len(raw.report["operators"]) == len(plain.report["operators"])


def test_stream_chunks_equal_the_whole_sequence(tagger):
    whole = scanlet.compile(tagger, torch.zeros(1, 12, 6), progress=False)
    stream = scanlet.compile(tagger, torch.zeros(1, 4, 6), mode="stream", progress=False)
    x = samples(1, 12, 6)
    expected = whole.run(x)
    for _ in range(2):
        stream.reset()
        chunks = [stream.run(x[:, t : t + 4]) for t in range(0, 12, 4)]
        np.testing.assert_array_equal(np.concatenate(chunks, axis=1), expected)
    np.testing.assert_allclose(expected, torch_run(tagger, x), atol=2e-6)


def test_sequence_mode_forgets_between_runs(compiled):
    x = samples(2)
    first = compiled.run(x[:1])
    compiled.run(x[1:])
    np.testing.assert_array_equal(compiled.run(x[:1]), first)


def test_calibration_samples_are_what_is_verified_with(classifier):
    data = [torch.from_numpy(x[None]) for x in samples(5)]
    compiled = scanlet.compile(
        classifier, torch.zeros(1, 12, 5), calibration_data=data, progress=False
    )
    assert compiled.report["verification"]["samples"] == 5
    np.testing.assert_array_equal(compiled.golden.inputs[0][0], data[0].numpy())


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"target": "esp32s9"}, scanlet.TargetError, "did you mean"),
        ({"precision": "int4"}, scanlet.InputError, "precision"),
        ({"mode": "batch"}, scanlet.InputError, "sequence"),
        ({"labels": ["only", "two"]}, scanlet.InputError, "2 labels"),
        ({"name": "9lives!"}, scanlet.InputError, "C symbols"),
        ({"memory_limit": 1500}, scanlet.TargetError, "needs"),
        ({"memory_limit": -1}, scanlet.InputError, "memory_limit"),
        ({"tolerance": 1e-12}, scanlet.VerificationError, "deviates"),
        ({"tolerance": 0.0}, scanlet.InputError, "tolerance"),
        ({"calibration_data": []}, scanlet.InputError, "empty"),
        ({"calibration_data": [torch.zeros(1, 3, 5)]}, scanlet.InputError, "shape"),
        ({"calibration_data": [torch.full((1, 12, 5), torch.nan)]}, scanlet.InputError, "NaN"),
        ({"normalization": (0.0, 0.0)}, scanlet.InputError, "std"),
    ],
)
def test_a_bad_argument_is_refused_with_what_to_do(classifier, arguments, error, text):
    with pytest.raises(error, match=text):
        scanlet.compile(classifier, torch.zeros(1, 12, 5), progress=False, **arguments)


def test_a_model_in_training_mode_is_refused(classifier):
    model = copy.deepcopy(classifier).train()
    with pytest.raises(scanlet.InvalidModelError, match="eval"):
        scanlet.compile(model, torch.zeros(1, 12, 5), progress=False)


def test_nan_weights_are_refused_by_name(classifier):
    model = copy.deepcopy(classifier)
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan
    with pytest.raises(scanlet.InvalidModelError, match=r"head\.weight"):
        scanlet.compile(model, torch.zeros(1, 12, 5), progress=False)


def test_an_input_of_the_wrong_shape_is_refused(compiled):
    with pytest.raises(scanlet.InputError, match="compiled for"):
        compiled.run(np.zeros((1, 13, 5), np.float32))
    with pytest.raises(scanlet.InputError, match="empty batch"):
        compiled.run(np.zeros((0, 12, 5), np.float32))
    with pytest.raises(scanlet.InputError, match="1 inputs expected"):
        compiled.run(np.zeros((1, 12, 5), np.float32), np.zeros(1))


def test_a_batch_is_refused_in_stream_mode(tagger):
    stream = scanlet.compile(tagger, torch.zeros(1, 4, 6), mode="stream", progress=False)
    with pytest.raises(scanlet.InputError, match="stream"):
        stream.run(np.zeros((2, 4, 6), np.float32))


def test_a_tight_memory_limit_shrinks_the_time_tile(classifier):
    example = torch.zeros(1, 12, 5)
    roomy = scanlet.compile(classifier, example, progress=False)
    stack = ALL["esp32s3"].stack_bytes
    limit = roomy.report["arena"]["reserved_bytes"] + stack - 16
    tight = scanlet.compile(classifier, example, memory_limit=limit, progress=False)
    assert tight.report["arena"]["reserved_bytes"] + stack <= limit
    assert tight.report["layers"][0]["tile"] < roomy.report["layers"][0]["tile"]
    np.testing.assert_array_equal(tight.run(samples(2)), roomy.run(samples(2)))


def test_a_model_without_the_interpreter_still_compiles_and_says_so(classifier, monkeypatch):
    from scanlet.execution import host

    def missing(*_args, **_kwargs):
        raise scanlet.MissingToolError("no interpreter wheel for this platform")

    monkeypatch.setattr(host, "HostInterpreter", missing)
    compiled = scanlet.compile(classifier, torch.zeros(1, 12, 5), progress=False)
    assert "not verified" in compiled.report["warnings"][0]
    assert compiled.report["arena"]["recorded"] is False


def test_the_flatbuffer_does_not_grow_with_the_length(classifier):
    sizes, operators = [], []
    for length in (10, 100, 1000):
        compiled = scanlet.compile(classifier, torch.zeros(1, length, 5), progress=False)
        sizes.append(len(compiled.tflite))
        operators.append(len(compiled.report["operators"]))
    assert max(sizes) - min(sizes) <= 64
    assert len(set(operators)) == 1
    assert operators[0] < 10


def test_compiling_twice_gives_the_same_bytes(classifier, compiled):
    again = scanlet.compile(
        classifier, torch.zeros(1, 12, 5), name="tiny", labels=["a", "b", "c"], progress=False
    )
    assert again.tflite == compiled.tflite
    assert again.component == compiled.component
