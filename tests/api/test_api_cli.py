"""The command line as a user drives it, in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

HERE = Path(__file__).parent


def scanlet(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scanlet.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    sys.path.insert(0, str(HERE))
    from cli_models import create

    folder = tmp_path_factory.mktemp("cli")
    torch.save(create().state_dict(), folder / "weights.pt")
    done = scanlet(
        *("compile", "cli_models:create", "--weights", folder / "weights.pt"),
        *("--input-shape", "1,7,4", "--labels", "no,yes", "--name", "net", "-o", folder / "net"),
    )
    assert "largest error" in done.stdout
    assert str(folder / "net") in done.stdout.replace("\n", "")
    return folder / "net"


def test_a_project_runs_on_arrays(project, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 7, 4), np.float32))
    done = scanlet("run", project, tmp_path / "x.npy", "--json", "-o", tmp_path / "y.npy")
    outputs = np.array(json.loads(done.stdout)["outputs"][0])
    np.testing.assert_allclose(outputs, np.load(tmp_path / "y.npy"), rtol=1e-6)
    assert outputs.shape == (2, 2)
    plain = scanlet("run", project, tmp_path / "x.npy").stdout
    assert ("-> yes" in plain) or ("-> no" in plain)


def test_verify_passes_and_fails_by_exit_code(project):
    assert scanlet("verify", project).stdout.count("PASS") == 3
    path = project / "model" / "golden" / "output_0_0.npy"
    original = path.read_bytes()
    np.save(path, np.load(path) + 1)
    assert "FAIL golden 0" in scanlet("verify", project, code=1).stdout
    path.write_bytes(original)


def test_inspect_shows_operators_and_memory(project):
    shown = json.loads(scanlet("inspect", project, "--json").stdout)
    assert "SELECTIVE_SSM" in [op["name"] for op in shown["operators"]]
    assert shown["arena"]["needed_bytes"] > 0
    assert "SELECTIVE_SSM" in scanlet("inspect", project / "model" / "model.tflite").stdout


def test_targets_are_listed():
    assert "esp32s3" in json.loads(scanlet("targets", "--json").stdout)
    assert "ESP32-S3" in scanlet("targets").stdout


def test_a_pt2_file_compiles(tmp_path):
    sys.path.insert(0, str(HERE))
    from cli_models import create

    example = (torch.zeros(1, 7, 4),)
    torch.export.save(torch.export.export(create().eval(), example), tmp_path / "net.pt2")
    done = scanlet("compile", tmp_path / "net.pt2", "-o", tmp_path / "out", "--json")
    assert json.loads(done.stdout)["model"]["name"] == "net"
    path = tmp_path / "net.pt2"
    path.write_bytes(path.read_bytes()[:500])
    done = scanlet("compile", path, "-o", tmp_path / "out2", code=1)
    assert "net.pt2" in done.stderr
    assert not (tmp_path / "out2").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("compile", "cli_models:create", "-o", "OUT"), "input"),
        (("compile", "cli_models:missing", "-o", "OUT"), "missing"),
        (("compile", "no_such_module:create", "-o", "OUT"), "no_such_module"),
        (("compile", "cli_models:create_string", "-o", "OUT"), "not a torch.nn.Module"),
        (("compile", "model.onnx", "-o", "OUT"), "neither"),
        (("compile", "cli_models:create", "--input-shape", "1,x", "-o", "OUT"), "--input-shape"),
        (("compile", "cli_models:create", "--target", "z80", "-o", "OUT"), "unknown target"),
        (("compile", "cli_models:create"), "--output"),
        (("run", "NOWHERE", "x.npy"), "no such directory"),
        (("frobnicate",), "No such command"),
    ],
)
def test_a_bad_call_exits_with_2_and_says_why(tmp_path, arguments, text):
    places = {"OUT": tmp_path / "out", "NOWHERE": tmp_path / "nowhere"}
    done = scanlet(*(places.get(a, a) for a in arguments), code=2)
    assert text in done.stderr
    assert not (tmp_path / "out").exists()


def test_weights_that_do_not_fit_name_the_parameter(tmp_path):
    torch.save({"head.weight": torch.zeros(2, 4)}, tmp_path / "w.pt")
    done = scanlet(
        *("compile", "cli_models:create", "--weights", tmp_path / "w.pt"),
        *("--input-shape", "1,7,4", "-o", tmp_path / "out"),
        code=2,
    )
    assert "mixer.A_log" in done.stderr


def test_help_names_the_commands_and_exit_codes():
    text = scanlet("--help").stdout
    for command in ("compile", "run", "verify", "inspect", "targets", "Exit codes"):
        assert command in text


def test_a_stream_is_compiled_and_run_chunk_by_chunk(project, tmp_path):
    weights = project.parent / "weights.pt"
    given = ("compile", "cli_models:create", "--weights", weights, "--input-shape", "1,8,4")
    chosen = ("--mode", "stream", "--chunk", "2", "--name", "net", "-o", tmp_path / "s")
    assert "exponential:STEPS" in scanlet(*given, *chosen, code=1).stderr
    scanlet(*given, *chosen, "--pooling", "mean")
    x = np.random.default_rng(0).standard_normal((1, 8, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    done = scanlet("run", tmp_path / "s", tmp_path / "x.npy", "--json")
    rows = np.array(json.loads(done.stdout)["outputs"][0])
    assert rows.shape == (4, 2)
    from cli_models import create

    with torch.no_grad():
        expected = create().eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(rows[-1:], expected, rtol=1e-4, atol=1e-6)
