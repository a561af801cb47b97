"""The command line at integer precisions, in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
MODEL = ("compile", "cli_models:create", "--input-shape", "1,7,4")


def scanlet(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scanlet.cli", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "160"}  # tables are not to break names
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "x.npy"
    np.save(path, np.random.default_rng(11).standard_normal((30, 7, 4)).astype(np.float32))
    return path


@pytest.fixture(scope="module")
def compiled(data, tmp_path_factory) -> tuple[Path, str]:
    """The project's directory, and what compiling printed."""
    project = tmp_path_factory.mktemp("cli") / "net"
    done = scanlet(
        *(*MODEL, "--precision", "int8", "--calibration", data, "--state", "float32"),
        *("--labels", "no,yes", "--name", "net", "-o", project),
    )
    return project, done.stdout


def test_compiling_prints_noise_by_tensor_and_agreement(compiled):
    shown = compiled[1]
    report = json.loads((compiled[0] / "report.json").read_text())
    agreement = report["verification"]["label_agreement"]
    assert f"{agreement:.2%}" in next(s for s in shown.splitlines() if "same label" in s)
    assert "int8, recurrent state float32" in shown
    assert "Signal to quantization noise, worst first" in shown
    table = shown.split("worst first")[1]
    rows = report["quantization"]["sensitivity"]
    places = [table.index(f"│ {row['name']} ") for row in rows]
    assert places == sorted(places)
    assert all(f"{row['noise_db']:.1f}" in table for row in rows)


def test_the_integer_project_runs_and_verifies(compiled, data, tmp_path):
    project = compiled[0]
    assert scanlet("verify", project).stdout.count("PASS") == 3
    results = {}
    for on in ("", "cortex-m4"):
        options = ("--on", on) if on else ()
        path = tmp_path / f"y{on}.npy"
        shown = scanlet("run", project, data, "-o", path, *options).stdout
        assert shown.count("-> ") == 30
        results[on] = np.load(path)
    report = json.loads((project / "report.json").read_text())
    step = json.loads(scanlet("inspect", project, "--json").stdout)["tensors"]
    (scale,) = next(t for t in step if t["name"] == report["model"]["outputs"][0]["name"])["scales"]
    assert np.abs(results[""] - results["cortex-m4"]).max() <= 1.001 * scale


def test_inspect_shows_types_and_how_integers_are_read(compiled):
    project = compiled[0]
    tensors = json.loads(scanlet("inspect", project, "--json").stdout)["tensors"]
    given = tensors[0]
    assert given["dtype"] == "int8"
    shown = scanlet("inspect", project).stdout
    (row,) = [line for line in shown.splitlines() if line.startswith("│ x ")]
    assert f"{given['scales'][0]:.6g} * (q" in row
    alone = scanlet("inspect", project / "model" / "model.tflite").stdout
    assert f"{given['scales'][0]:.6g} * (q" in alone
    assert "IntegerSSM" in scanlet("inspect", project, "--plan").stdout


def test_bench_counts_the_integer_model(compiled):
    (result,) = json.loads(scanlet("bench", compiled[0], "--on", "cortex-m4", "--json").stdout)
    assert (result["input_bytes"], result["output_bytes"]) == (28, 2)
    assert (
        f"{result['instructions']:,}" in scanlet("bench", compiled[0], "--on", "cortex-m4").stdout
    )
    refused = scanlet("bench", compiled[0], "--on", "cortex-m4", "--naive", code=2)
    assert "compile the model for float32" in refused.stderr


def test_json_of_an_integer_model_is_json_and_float_modules_are_listed(data, tmp_path):
    done = scanlet(
        *(*MODEL, "--precision", "int16x8", "--calibration", data, "--float-module", "head"),
        *("--json", "-o", tmp_path / "p"),
    )

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    report = json.loads(done.stdout, parse_constant=refuse)
    assert report["precision"] == "int16x8"
    assert [island["modules"] for island in report["quantization"]["islands"]] == [["head"]]


def test_labels_in_the_data_give_accuracy_and_the_observer_is_shown(data, tmp_path):
    path = tmp_path / "labelled.npz"
    np.savez(path, y=np.arange(30) % 2, x=np.load(data))
    done = scanlet(
        *(*MODEL, "--precision", "int8", "--calibration", path, "--observer", "percentile"),
        *("-o", tmp_path / "p"),
    )
    report = json.loads((tmp_path / "p" / "report.json").read_text())
    accuracy = report["verification"]["accuracy"]
    stated = f"{accuracy['pytorch']:.2%} in PyTorch, {accuracy['compiled']:.2%} compiled"
    assert stated in next(line for line in done.stdout.splitlines() if "accuracy" in line)
    assert "of the calibration data, percentile" in done.stdout


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--precision", "int8"), 2, "needs --calibration"),
        (("--precision", "int9"), 2, "choose one of float32, int8, int16x8"),
        (("--precision", "int8", "--calibration", "nowhere.npy"), 2, "nowhere.npy"),
        (("--precision", "int8", "--calibration", "DATA", "--state", "int4"), 2, "state is 'int4'"),
        (("--precision", "int8", "--calibration", "DATA", "--observer", "max"), 2, "minmax, perc"),
        (("--state", "int16"), 2, "integer precisions"),
        (("--float-module", "head"), 2, "integer precisions"),
        (
            ("--precision", "int8", "--calibration", "DATA", "--float-module", "hea"),
            2,
            "modules with operators: head, mixer",
        ),
    ],
)
def test_a_bad_integer_call_says_why(data, tmp_path, options, code, text):
    given = [data if option == "DATA" else option for option in options]
    done = scanlet(*MODEL, *given, "-o", tmp_path / "p", code=code)
    assert text in done.stderr
    assert not (tmp_path / "p").exists()
