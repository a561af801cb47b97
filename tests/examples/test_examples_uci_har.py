"""UCI HAR: the loader reads both layouts; training, compiling and comparing works end to end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import scanlet
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


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """The compact layout: three people to train with, one to test with, six tones as activities."""
    rng = np.random.default_rng(0)
    seconds = np.arange(600) / 50
    recordings, starts, activities, people = [], [], [], []
    for person in (5, 6, 7, 8):  # 5 is one of those that training validates with
        for activity in range(6):
            begin = 600 * len(recordings)
            tone = np.sin(2 * np.pi * (activity + 1) * seconds)[:, None]
            noise = rng.standard_normal((600, 6))
            gravity = 720 * np.eye(6)[activity % 3]
            recordings.append(np.round(gravity + 200 * tone + 20 * noise).astype(np.int16))
            starts += range(begin, begin + 600 - data.STEPS, data.STEPS // 2)
            activities += [activity + 1] * (len(starts) - len(activities))
            people += [person] * (len(starts) - len(people))
    np.savez(
        tmp_path / "uci_har_raw_int16.npz",
        q=np.concatenate(recordings),
        rec_offset=600 * np.arange(len(recordings) + 1),
        win_start=np.array(starts),
        y=np.array(activities),
        subject=np.array(people),
        is_train=np.array(people) != 8,
    )
    return tmp_path


def test_the_example_prints_a_row_a_precision_with_its_bars(
    made_up: Path,
    run_example: Callable[..., str],
    table_row: Callable[[str, str], list[str]],
) -> None:
    folders = ("--data", str(made_up), "-o", str(made_up / "out"))
    output = run_example("uci_har", *folders, "--epochs", "3")
    assert "Calibrated on 144 training windows" in output
    assert table_row(output, "float32")[1:3] == ["+0.00", "100.00 %"]
    accuracy, drop, agreement, size, _ = table_row(output, "int8")
    assert float(agreement.split()[0]) >= 95
    stored = made_up / "out" / "project" / "int8" / "model" / "model.tflite"
    assert size == f"{stored.stat().st_size:,} bytes"
    verdict = "met" if float(drop) <= 0.3 else "NOT MET"
    assert table_row(output, "bar")[1] == f"<= 0.3: {verdict}"
    test = data.load(made_up)[1]
    scores = scanlet.open(made_up / "out" / "project" / "int8").run(test.x)
    assert f"{100 * (scores.argmax(1) == test.y).mean():.2f} %" == accuracy


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
    assert (tmp_path / "project" / "float32" / "model" / "model.tflite").is_file()
    assert float(table_row(output, "int8")[2].split()[0]) >= 98
