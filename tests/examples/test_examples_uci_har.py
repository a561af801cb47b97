"""UCI HAR: the loader reads both layouts; training, compiling and comparing works end to end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from examples.data_folder import data_folder
from examples.uci_har import data


@pytest.mark.parametrize("parent", ["", "UCI HAR Dataset"])
def test_the_official_layout_is_read(tmp_path: Path, parent: str) -> None:
    rng = np.random.default_rng(0)
    expected = {}
    for split, count in (("train", 3), ("test", 1)):
        signals = tmp_path / parent / split / "Inertial Signals"
        signals.mkdir(parents=True)
        expected[split] = x = rng.standard_normal((count, 128, 9)).astype(np.float32)
        names = [f"{s}_{a}" for s in ("body_acc", "body_gyro", "total_acc") for a in "xyz"]
        for channel, name in enumerate(names):
            np.savetxt(signals / f"{name}_{split}.txt", x[:, :, channel], fmt="%16.9e")
        np.savetxt(signals.parent / f"y_{split}.txt", np.arange(1, count + 1), fmt="%d")
        np.savetxt(signals.parent / f"subject_{split}.txt", np.full(count, 7), fmt="%d")
    training, test = data.load(tmp_path)
    np.testing.assert_allclose(training.x, expected["train"], rtol=1e-6)
    np.testing.assert_allclose(test.x, expected["test"], rtol=1e-6)
    assert training.y.tolist() == [0, 1, 2]
    assert test.subject.tolist() == [7]


def test_a_folder_without_recordings_says_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="UCI Machine"):
        data.load(tmp_path)


def test_a_missing_folder_says_where_data_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANLET_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit, match=r"nowhere is not a folder\.\nget it there"):
        data_folder(None, "get it there")


def test_the_compact_recording_is_read_as_the_official_windows_are(shared_data: Path) -> None:
    training, test = data.load(shared_data)
    assert training.x.shape == (7352, 128, 9)
    assert test.x.shape == (2947, 128, 9)
    assert len(set(training.subject)) == 21
    assert not set(training.subject) & set(test.subject)
    # Facts of the data set: lying people see gravity along y or z, standing ones along x.
    gravity = training.x[:, :, 6:].mean(1)
    assert np.median(gravity[training.y == data.CLASSES.index("Standing"), 0]) > 0.9
    assert np.median(gravity[training.y == data.CLASSES.index("Laying"), 0]) < 0.3
    # The body's own acceleration and turning have no steady part.
    assert np.abs(training.x[:, :, :6].mean((0, 1))).max() < 0.02


def test_a_briefly_trained_model_is_as_accurate_compiled(
    shared_data: Path,
    tmp_path: Path,
    run_example: Callable[..., str],
    table_row: Callable[[str, str], list[str]],
) -> None:
    options = ("--epochs", "2", "--limit", "700", "-o", str(tmp_path))
    output = run_example("uci_har", "--data", str(shared_data), *options)
    pytorch, tflm = table_row(output, "accuracy")
    assert pytorch == tflm
    assert float(pytorch.split()[0]) > 50, "it learned nothing: chance is 17 %"
    assert table_row(output, "same label as PyTorch")[1].startswith("100.00 %")
    assert (tmp_path / "weights.pt").is_file()
    assert (tmp_path / "project" / "model" / "model.tflite").is_file()
