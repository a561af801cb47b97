"""The application with an integer model on the fake device: golden vectors, requests."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from project_device import (
    HELLO,
    INFER,
    answers,
    build_application,
    frame,
    run_application,
    write_files,
)
from project_models import Classifier

import scanlet
from scanlet.emit.project import ProjectSpec, render_project
from scanlet.project_files import _project_spec


@pytest.fixture(scope="module", params=["int8", "int16x8"])
def integer_spec(request) -> ProjectSpec:
    torch.manual_seed(3)
    data = np.random.default_rng(4).standard_normal((20, 1, 6, 4)).astype(np.float32)
    compiled = scanlet.compile(
        Classifier().eval(),
        torch.zeros(1, 6, 4),
        name="gestures",
        labels=["Walk", "Ride", "Stand still"],
        precision=request.param,
        calibration_data=list(data),
        progress=False,
    )
    return _project_spec(compiled)


@pytest.fixture(scope="module")
def program(integer_spec: ProjectSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = write_files(render_project(integer_spec), tmp_path_factory.mktemp("device") / "p")
    return build_application(project, project.parent / "program")


def self_test(program: Path, fault: str = "") -> list[str]:
    shown = run_application(program, fault).decode().splitlines()
    return [line for line in shown if line.startswith("self-test")]


def test_stored_golden_integers_pass_with_their_class(program, integer_spec) -> None:
    shown = self_test(program)
    for i, (line, (scores,)) in enumerate(
        zip(shown, integer_spec.golden_outputs, strict=False), start=1
    ):
        assert scores.dtype in (np.int8, np.int16)
        assert line.startswith(f"self-test {i}/3: PASS  max error 0 (tolerance ")
        assert line.endswith(f"  class {integer_spec.labels[int(np.argmax(scores))]}")
    assert shown[3:] == ["self-test: PASS (3 of 3)"]


def test_an_output_beyond_the_tolerance_fails_with_its_real_error(program, integer_spec) -> None:
    tolerance = integer_spec.golden_tolerance
    shown = self_test(program, "off")
    assert shown[-1] == "self-test: FAIL (0 of 3)"
    for line in shown[:3]:
        found = re.match(r"self-test \d/3: FAIL  max error (\S+) \(tolerance (\S+)\)", line)
        assert found, line
        assert float(found[1]) == pytest.approx(2 * tolerance, abs=integer_spec.outputs[0].scale)
        assert float(found[2]) == pytest.approx(tolerance, rel=0.01)


def test_requests_exchange_stored_integers_as_hello_describes(program, integer_spec) -> None:
    requests = frame(HELLO) + frame(INFER, integer_spec.golden_inputs[1][0].tobytes(), sequence=1)
    hello, inferred = answers(run_application(program, requests=requests))
    described = dict(line.split("=", 1) for line in hello.payload.decode().splitlines())
    output = integer_spec.outputs[0]
    assert described["output0.dtype"] == output.dtype
    assert float(described["output0.scale"]) == pytest.approx(output.scale, rel=1e-7)
    assert int(described["output0.zero_point"]) == output.zero_point
    assert struct.unpack_from("<I", inferred.payload)[0] > 0
    assert inferred.payload[4:] == integer_spec.golden_outputs[1][0].tobytes()
