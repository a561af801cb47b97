"""`scanlet device` as a person calls it, with a program behind a pseudo-terminal as the board."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import tty
from pathlib import Path

import numpy as np
import pytest
from device_models import Served
from typer.testing import CliRunner

import scanlet
from examples.benchmark.serial_faults import Faults, Line
from scanlet.cli import app
from scanlet.errors import DeviceError, InputError, MissingToolError
from scanlet.execution.device import link


def scanlet_device(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["device", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def data(samples: np.ndarray, sequence: Served, tmp_path: Path) -> Path:
    """The samples, with the classes that this machine finds, but for two."""
    classes = np.argmax(sequence.compiled.run(samples), axis=-1)
    classes[[2, 5]] = (classes[[2, 5]] + 1) % 3
    np.savez(tmp_path / "data.npz", x=samples, y=classes)
    np.save(tmp_path / "x.npy", samples)
    np.save(tmp_path / "y.npy", np.array(sequence.compiled.labels)[classes])
    return tmp_path


def test_info_shows_the_model(line: Line, sequence: Served) -> None:
    found = json.loads(scanlet_device("info", "--port", line.port, "--json"))
    assert (found["model"], found["precision"], found["runs"]) == ("served", "int8", "library")
    assert found["labels"] == ["walk", "run", "stand"]
    (tensor,) = sequence.compiled.inputs
    assert tensor.quantization is not None
    shown = found["inputs"][0]
    assert (shown["shape"], shown["scale"]) == ([1, 12, 8], tensor.quantization.scales[0])
    text = scanlet_device("info", "--port", line.port)
    assert "walk, run, stand" in text
    assert "int8 1 x 12 x 8" in text


def test_run_gives_what_this_machine_gives(
    line: Line, sequence: Served, samples: np.ndarray, data: Path
) -> None:
    out = data / "out.npy"
    text = scanlet_device("run", data / "x.npy", "--port", line.port, "-o", out)
    expected = sequence.compiled.run(samples)
    np.testing.assert_array_equal(np.load(out), expected)
    assert f"0: {np.array2string(expected[0], precision=4)}" in text
    assert "us an inference" in text
    said = json.loads(scanlet_device("run", data / "x.npy", "--port", line.port, "--json"))
    np.testing.assert_array_equal(np.array(said["outputs"][0], np.float32), expected)
    assert len(said["latency_us"]) == len(samples)


@pytest.mark.parametrize("labels_apart", [False, True])
def test_evaluate_compares_every_sample_and_prints_accuracies(
    line: Line, sequence: Served, data: Path, labels_apart: bool
) -> None:
    given = ["--data", data / "data.npz"]
    if labels_apart:
        given = ["--data", data / "x.npy", "--labels", data / "y.npy"]
    text = scanlet_device("evaluate", sequence.project, "--port", line.port, *given)
    assert "PASS 12 of 12 samples have the same bits" in text
    assert "accuracy on the board 83.33%" in " ".join(text.split())
    assert "taken for" in text
    found = json.loads(
        scanlet_device("evaluate", sequence.project, "--port", line.port, *given, "--json")
    )
    assert (found["passed"], found["equal"], found["samples"]) == (True, 12, 12)
    assert found["accuracy_board"] == found["accuracy_host"] == pytest.approx(10 / 12)
    assert found["statistics"]["inferences"] == 24
    assert found["difference"] == {"steps": 0, "error": 0.0}
    assert found["accepted"]["steps"] == 2  # the plain C library beside TFLM
    assert "0 steps (2 accepted)" in text


def test_evaluate_takes_recordings_of_any_number_of_chunks(stream: Served, data: Path) -> None:
    with Line([stream.program], Faults(corrupt=0.05, duplicate=0.05), seed=2) as line:
        words = ("evaluate", stream.project, "--port", line.port, "--timeout", "0.1")
        text = scanlet_device(*words, "--data", data / "x.npy", "--limit", 10)
    assert "PASS 10 of 10 samples" in text  # each three chunks from a clear state
    assert "accuracy" not in text


def test_a_board_that_computes_something_else_fails(
    sequence: Served, data: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(sequence.project, project)
    serve = project / "server" / "serve.c"
    text = serve.read_text("utf-8")
    call = "const uint8_t* const inputs) {\n"
    assert text.count(call) == 1
    serve.write_text(text.replace(call, call + "  ((uint8_t*)inputs)[0] ^= 0x7fu;\n"))
    folders = [project / name for name in ("library", "self_test", "server")]
    sources = [source for folder in folders for source in folder.rglob("*.c")]
    command = ["gcc", "-O1", *(f"-I{folder}" for folder in folders), *map(str, sources)]
    program = tmp_path / "serve"
    subprocess.run([*command, str(project / "main/serve.c"), "-o", str(program)], check=True)
    with Line([program]) as line:
        words = ("evaluate", project, "--port", line.port, "--data", data / "data.npz")
        text = scanlet_device(*words, code=1)
        found = json.loads(scanlet_device(*words, "--json", code=1))
    assert "FAIL" in text
    assert "samples that differ" in text
    assert found["passed"] is False
    assert found["equal"] < 12
    assert found["difference"]["steps"] > 2


def test_another_model_on_the_board_is_refused(line: Line, stream: Served, data: Path) -> None:
    with pytest.raises(DeviceError, match="the board serves 'served' with the hash") as failure:
        scanlet_device("evaluate", stream.project, "--port", line.port, "--data", data / "x.npy")
    assert "flash it" in str(failure.value)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": np.zeros((3, 12, 8)), "y": np.zeros(2, int)}, "3 samples and 2 labels"),
        ({"x": np.zeros((3, 12, 8)), "y": np.full(3, 3)}, "3 classes"),
        ({"x": np.zeros((3, 12, 7))}, "compiled for"),
        ({"x": np.zeros((0, 12, 8))}, r"\[0\] samples"),
        ({"x": np.zeros((3, 12, 8)), "z": np.zeros((3, 2))}, "1 inputs, the data 2"),
    ],
)
def test_data_that_does_not_fit_is_refused(
    line: Line, sequence: Served, tmp_path: Path, arrays: dict, match: str
) -> None:
    np.savez(tmp_path / "odd.npz", **arrays)
    words = ("--port", line.port, "--data", tmp_path / "odd.npz")
    with pytest.raises(InputError, match=match):
        scanlet_device("evaluate", sequence.project, *words)


def test_reset_statistics_and_self_test(line: Line, data: Path) -> None:
    assert "the state is clear" in scanlet_device("reset", "--port", line.port)
    scanlet_device("run", data / "x.npy", "--port", line.port)
    found = json.loads(scanlet_device("statistics", "--port", line.port, "--json"))
    assert (found["inferences"], found["resets"]) == (12, 4)  # three sessions and one reset
    assert found["mean_us"] <= found["longest_us"]
    assert found["stack_unused"] is None
    assert found["memory_used"] == found["memory_reserved"] > 0
    text = scanlet_device("statistics", "--port", line.port)
    assert "not known" in text
    assert "self-test: PASS (3 of 3)" in scanlet_device("self-test", "--port", line.port)
    tested = json.loads(scanlet_device("self-test", "--port", line.port, "--json"))
    assert tested == {"samples": 3, "failed": 0}


def test_without_a_port_the_ports_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "serial_ports", lambda: ["/dev/ttyUSB7"])
    with pytest.raises(InputError, match="--port") as failure:
        scanlet_device("info")
    assert "/dev/ttyUSB7" in str(failure.value)
    with pytest.raises(InputError, match="cannot open this port") as failure:
        scanlet_device("info", "--port", "/dev/no-such-port")
    assert "/dev/ttyUSB7" in str(failure.value)
    with pytest.raises(InputError, match="cannot open this port"):
        scanlet_device("info", "--port", "gopher://x")


def test_a_port_that_takes_nothing_or_goes_away_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "STUCK_SECONDS", 0.1)
    master, slave = pty.openpty()
    tty.setraw(slave)
    stuck = link.SerialLink(os.ttyname(slave), 4_000_000)
    with pytest.raises(DeviceError, match="the connection broke"):
        stuck.write(bytes(100_000))
    stuck.close()
    gone = link.SerialLink(os.ttyname(slave), 115200)
    os.close(master)
    with pytest.raises(DeviceError, match="still plugged in"):
        gone.read(0.5)
    gone.close()
    os.close(slave)


def test_without_pyserial_the_pip_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(MissingToolError, match=r"pip install pyserial==3\.5"):
        scanlet.Device("/dev/ttyUSB0")
    pinned = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert f'"{link.PYSERIAL}"' in pinned
