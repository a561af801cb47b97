"""`scanlet report` and what compiling from a shell writes into the report, in its own process."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


def scanlet(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scanlet.cli", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=300, env=os.environ
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("reported")
    normalization = folder / "statistics.npz"
    np.savez(normalization, mean=np.zeros(4, np.float32), std=np.ones(4, np.float32))
    scanlet(
        *("compile", "cli_models:create", "--input-shape", "1,7,4", "--labels", "no,yes or no"),
        *("--normalization", normalization, "--measure", "cortex-m7", "--name", "net", "--force"),
        *("--output", folder / "net"),
    )
    return folder / "net"


def read(project: Path) -> dict:
    return json.loads((project / "report.json").read_text())


def test_the_command_is_told_without_folders_and_with_what_was_given(project):
    command = read(project)["reproduce"]["command"]
    words = shlex.split(command)
    assert words[:3] == ["scanlet", "compile", "cli_models:create"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options == {
        **{"-o": "DIR", "--input-shape": "1,7,4", "--labels": "no,yes or no", "--name": "net"},
        **{"--normalization": "statistics.npz", "--measure": "cortex-m7"},
    }
    assert command.replace("'", "&#39;") in (project / "report.html").read_text()


def test_compiling_counts_where_it_was_asked_to(project):
    (row,) = read(project)["measurements"]
    assert row["core"] == "cortex-m7"
    assert f"{row['instructions']:,}" in (project / "report.html").read_text()


def test_labelled_data_come_into_the_report_and_the_rest_stays(project, tmp_path):
    before = read(project)
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, np.random.default_rng(5).standard_normal((4, 7, 4)).astype(np.float32))
    np.save(y, np.array([0, 1, 0, 1]))
    printed = scanlet("report", project, "--data", x, "--labels", y).stdout.strip()
    assert printed == str(project / "report.html")
    after = read(project)
    found = after.pop("evaluation")
    assert found["samples"] == 4
    assert found["agreement"] in (0, 0.25, 0.5, 0.75, 1)
    before.pop("evaluation")
    assert after == before
    assert "4 labelled samples" in (project / "report.html").read_text()
    scanlet("verify", project)  # the project is whole


def test_data_without_labels_and_unknown_cores_are_the_callers_fault(project, tmp_path):
    x = tmp_path / "x.npy"
    np.save(x, np.zeros((1, 7, 4), np.float32))
    assert "--labels" in scanlet("report", project, "--data", x, code=2).stderr
    assert "cortex-m99" in scanlet("report", project, "--on", "cortex-m99", code=2).stderr


def test_an_edited_report_is_refused_without_force(project):
    page = project / "report.html"
    page.write_text(page.read_text() + "<!-- mine -->")
    assert "report.html" in scanlet("report", project, code=1).stderr
    scanlet("report", project, "--force")
    assert "mine" not in page.read_text()
    assert "mine" in (project / "report.html.bak").read_text()
