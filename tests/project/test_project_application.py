"""The application on a fake device: what it prints at boot, and how it answers requests."""

from __future__ import annotations

import dataclasses
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from project_device import answers, build_application, frame, run_application, write_files

from scanlet.emit.project import ProjectSpec, render_project

INFO, INFER, RESET, ANSWER, ERROR = 1, 2, 3, 0x80, 0xFF
SECONDS = 50  # how long the fake device runs


@pytest.fixture(scope="module")
def program(spec: ProjectSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("device")
    return build_application(write_files(render_project(spec), folder / "p"), folder / "program")


def lines(output: bytes) -> list[str]:
    return output.decode("utf-8", "replace").splitlines()


def test_each_golden_sample_passes_with_its_error_and_class(program, spec) -> None:
    shown = [line for line in lines(run_application(program)) if line.startswith("self-test")]
    count = len(spec.golden_inputs)
    for i, (line, outputs) in enumerate(zip(shown, spec.golden_outputs, strict=False), start=1):
        label = spec.labels[int(np.argmax(outputs[0]))]
        assert line.startswith(f"self-test {i}/{count}: PASS  max error 0 (tolerance ")
        assert line.endswith(f"  class {label}")
    assert shown[count:] == [f"self-test: PASS ({count} of {count})"]


@pytest.mark.parametrize(
    ("fault", "error"), [("nan", "nan"), ("infinite", "inf"), ("off", r"\d"), ("failing", "0")]
)
def test_a_wrong_output_fails_the_self_test(program, spec, fault, error) -> None:
    shown = [line for line in lines(run_application(program, fault)) if "self-test" in line]
    count = len(spec.golden_inputs)
    assert len(shown) == count + 1
    for line in shown[:count]:
        assert re.match(rf"self-test \d/{count}: FAIL  max error {error}", line)
    assert shown[-1] == f"self-test: FAIL (0 of {count})"


def test_a_project_without_golden_vectors_claims_no_pass(spec, tmp_path) -> None:
    bare = dataclasses.replace(
        spec, golden_inputs=(), golden_outputs=(), labels=(), component={}, resolver_methods=()
    )
    project = write_files(render_project(bare), tmp_path / "p")
    output = run_application(build_application(project, tmp_path / "program"))
    assert b"PASS" not in output
    assert b"self-test: none" in output
    assert b"ready" in output


def test_memory_and_latencies_are_printed(program, spec) -> None:
    shown = lines(run_application(program))
    reserved = spec.arena_bytes + spec.arena_margin_bytes
    margin = spec.arena_margin_bytes
    assert f"arena: 1234 bytes used, {reserved} reserved ({margin} of them margin)" in shown
    assert any(re.match(r"latency: \d+ us per inference \(shortest \d+, ", line) for line in shown)
    operators = [line for line in shown if re.match(r"operator \d+: FAKE +100 us +\d+\.\d %", line)]
    assert len(operators) == len(spec.report["operators"])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no-memory", "the tensors could not be allocated"),
        ("wrong-tensors", "the model's inputs or outputs are not those of model_config.h"),
    ],
)
def test_a_model_that_cannot_run_parks_with_a_message(program, fault, message) -> None:
    shown = lines(run_application(program, fault))
    stops = [line for line in shown if line.startswith("STOPPED: ")]
    assert len(stops) == SECONDS // 10  # repeated every ten seconds, no restart between
    assert all(message in line for line in stops)
    assert sum(line.startswith("model ") for line in shown) == 1
    assert not any("self-test" in line or "ready" in line for line in shown)


def test_inference_requests_are_answered_with_time_and_outputs(program, spec) -> None:
    order = [1, 0, 2]
    requests = b"".join(
        frame(INFER, b"".join(x.tobytes() for x in spec.golden_inputs[i]), sequence=40 + i)
        for i in order
    )
    got = answers(run_application(program, requests=requests))
    assert [(a.kind, a.sequence) for a in got] == [(INFER | ANSWER, 40 + i) for i in order]
    for answer, i in zip(got, order, strict=True):
        assert struct.unpack_from("<I", answer.payload)[0] > 0
        expected = b"".join(y.astype(np.float32).tobytes() for y in spec.golden_outputs[i])
        assert answer.payload[4:] == expected


def test_info_names_model_shapes_and_classes(program, spec) -> None:
    (answer,) = answers(run_application(program, requests=frame(INFO, sequence=255)))
    assert (answer.kind, answer.sequence) == (INFO | ANSWER, 255)
    described = dict(line.split("=", 1) for line in answer.payload.decode().splitlines())
    assert described["model"] == spec.name
    assert described["input0.shape"] == "x".join(map(str, spec.inputs[0].shape))
    assert described["input0.dtype"] == "float32"
    assert [described[f"label{i}"] for i in range(len(spec.labels))] == list(spec.labels)


def test_reset_is_confirmed(program) -> None:
    (answer,) = answers(run_application(program, requests=frame(RESET, sequence=7)))
    assert (answer.kind, answer.sequence, answer.payload) == (RESET | ANSWER, 7, b"")


@pytest.mark.parametrize(
    ("request_bytes", "message"),
    [
        (frame(INFER, b"\0" * 8), "length is not that of the inputs"),
        (frame(INFER, b"\0" * 100_000), "longer than the inputs"),
        (frame(0x55), "unknown request type"),
        (frame(INFO)[:-1] + b"\xff", "wrong checksum"),
        (frame(INFO)[:6] + b"\x01" + frame(INFO)[7:], "reserved bytes are not zero"),
    ],
)
def test_a_bad_request_gets_an_error_and_the_next_one_its_answer(
    program, request_bytes, message
) -> None:
    output = run_application(program, requests=request_bytes + frame(INFO, sequence=9))
    error, answer = answers(output)
    assert error.kind == ERROR
    assert message in error.payload.decode()
    assert (answer.kind, answer.sequence) == (INFO | ANSWER, 9)


def test_a_failing_inference_is_reported(program, spec) -> None:
    request = frame(INFER, b"".join(x.tobytes() for x in spec.golden_inputs[0]))
    (answer,) = answers(run_application(program, "failing", requests=request))
    assert answer.kind == ERROR
    assert answer.payload == b"the inference failed"


def test_noise_between_requests_is_ignored(program) -> None:
    noise = b"boot log SCN SC SCN0 \xff\x00"
    output = run_application(program, requests=noise + frame(INFO, sequence=1) + noise)
    assert [answer.sequence for answer in answers(output)] == [1]
