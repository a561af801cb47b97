"""The example behind `make demo`: committed weights, real recordings, the real interpreter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import scanlet
from examples.basic_motions import data, model, train
from examples.comparison import Comparison

TableRow = Callable[[str, str], list[str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "basic_motions"


@pytest.fixture(scope="module")
def output(run_example: Callable[..., str], project: Path) -> str:
    return run_example("basic_motions", "-o", str(project))


def test_compiled_accuracy_equals_pytorchs(output: str, table_row: TableRow) -> None:
    pytorch, tflm = table_row(output, "accuracy")
    assert pytorch == tflm == "100.00 % (40/40)"


def test_every_label_agrees_with_pytorch(output: str, table_row: TableRow) -> None:
    assert table_row(output, "same label as PyTorch") == ["", "100.00 % (40/40)"]
    assert float(table_row(output, "largest error")[1]) < 1e-4


def test_the_demo_says_what_it_made_and_where(
    output: str, project: Path, table_row: TableRow
) -> None:
    assert f"Project written to {project}" in output
    assert "SELECTIVE_SSM" in table_row(output, "operators")[0]
    tflite = project / "model" / "model.tflite"
    assert table_row(output, "flatbuffer") == [f"{tflite.stat().st_size:,} bytes"]


def test_the_demo_ends_with_the_same_network_in_int8(output: str) -> None:
    (line,) = [line for line in output.splitlines() if "in int8" in line]
    assert "calibrated on the 40 training recordings" in line
    assert "accuracy 100.00 %, same label as PyTorch 100.00 %" in line


def test_the_written_project_takes_raw_sensor_values(output: str, project: Path) -> None:
    assert output  # the demo has written the project
    recordings, classes = data.load("TEST")
    scores = scanlet.open(project).run(recordings[::5])
    assert (scores.argmax(1) == classes[::5]).all()


def test_recordings_are_complete() -> None:
    for split in ("TRAIN", "TEST"):
        x, y = data.load(split)
        assert x.shape == (40, data.STEPS, data.CHANNELS)
        assert x.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.bincount(y).tolist() == [10, 10, 10, 10]


def test_the_training_script_makes_the_committed_kind_of_weights() -> None:
    trained, mean, std = train.train(epochs=1)
    committed = torch.load(train.FOLDER / "weights.pt", weights_only=True)
    shapes = {name: value.shape for name, value in trained.state_dict().items()}
    assert {name: value.shape for name, value in committed.items()} == shapes
    statistics = np.load(train.FOLDER / "normalization.npz")
    np.testing.assert_allclose(statistics["mean"], mean, rtol=1e-6)
    np.testing.assert_allclose(statistics["std"], std, rtol=1e-6)


def test_committed_weights_classify_the_recordings_in_pytorch() -> None:
    network = model.create()
    network.load_state_dict(torch.load(train.FOLDER / "weights.pt", weights_only=True))
    statistics = np.load(train.FOLDER / "normalization.npz")
    x, y = data.load("TEST")
    with torch.no_grad():
        scores = network(torch.from_numpy((x - statistics["mean"]) / statistics["std"]))
    assert (scores.argmax(1).numpy() == y).mean() >= 0.975


def test_a_comparison_counts_labels_and_errors() -> None:
    comparison = Comparison(
        pytorch=np.array([[1.0, 0.0], [0.0, 1.0]]),
        tflm=np.array([[1.0, 0.0], [2.0, 1.0]]),
        classes=np.array([0, 1]),
    )
    assert comparison.pytorch_accuracy == 1.0
    assert comparison.tflm_accuracy == 0.5
    assert comparison.agreement == 0.5
    assert comparison.mean_error == 0.5
    assert comparison.max_error == 2.0
