"""The ESP-IDF application, built for this machine around the model as plain C, behind a line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import scanlet
from examples.benchmark.serial_faults import Faults, Line
from examples.benchmark.serial_link import compile_served, over_a_line
from scanlet.cli import app
from scanlet.emit.generic.source import render_generic
from scanlet.errors import InputError
from scanlet.execution.device.evaluation import evaluate_on_board
from scanlet.targets import find
from tests.project.project_device import build_application

HERE = Path(__file__).parent


@pytest.fixture(scope="module", params=["sequence", "stream"])
def application(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[scanlet.Compiled, Path, Path]:
    """The model, its project, and the program."""
    folder = tmp_path_factory.mktemp("application")
    compiled = compile_served(request.param, "esp32s3")
    project = compiled.save(folder / "p")
    choice = compiled.planned_for(find("generic"), keep_plan=True)
    library = folder / "library"
    for path, text in render_generic(choice.graph, choice.plan, name="board").items():
        (library / path).parent.mkdir(parents=True, exist_ok=True)
        (library / path).write_text(text)
    sources = sorted(library.rglob("*.c"))
    program = build_application(project, folder / "program", HERE / "library_device.cc", sources)
    return compiled, project, program


def test_evaluate_finds_the_bits_of_this_machine(
    application: tuple[scanlet.Compiled, Path, Path], samples: np.ndarray, tmp_path: Path
) -> None:
    compiled, project, program = application
    np.save(tmp_path / "x.npy", samples)
    with Line([program]) as line:
        words = ("device", "evaluate", project, "--port", line.port, "--data", tmp_path / "x.npy")
        result = CliRunner().invoke(app, [*map(str, words), "--json"])
        assert result.exit_code == 0, result.output
        found = json.loads(result.output)
        assert (found["passed"], found["equal"]) == (True, len(samples))
        assert found["accepted"]["steps"] == 0
        assert found["statistics"]["stack_unused"] == 2345
        with scanlet.Device(line.port) as board:
            assert board.info.runs == "tflm"
            with pytest.raises(InputError, match="the board runs TensorFlow Lite Micro"):
                evaluate_on_board(board, compiled, [samples], on="cortex-m7")
            assert board.info.target == "esp32s3"
            assert board.self_test().passed
    assert compiled.mode == board.mode


def test_every_answer_is_right_over_a_bad_line(
    application: tuple[scanlet.Compiled, Path, Path],
) -> None:
    compiled, _, program = application
    faults = Faults(0.08, 0.04, 0.08, 0.04, 0.08, 0.04)
    row = over_a_line(compiled, [program], 60, faults, seed=1)
    assert (row["wrong"], row["carried_out"]) == (0, 60)
    assert sum(row["faults"].values()) >= 12
