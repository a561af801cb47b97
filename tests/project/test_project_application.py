"""The application on a fake device: what it prints at boot, and how it answers requests."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from project_device import (
    ANSWER,
    ERROR,
    HELLO,
    INFER,
    RESET,
    SELF_TEST,
    SESSION,
    STATISTICS,
    Answer,
    answers,
    build_application,
    frame,
    run_application,
    write_files,
)

from scanlet.emit.project import ProjectSpec, render_project
from scanlet.resources import resource_dir

SERVER = resource_dir("templates") / "serial" / "server.h"
SESSION_ERROR, FAILED_ERROR = 3, 6
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


def test_data_of_another_model_are_refused_before_anything_reads_them(
    spec, second_spec, tmp_path
) -> None:
    files = render_project(spec)
    other = render_project(dataclasses.replace(second_spec, name=spec.name))
    assert len(second_spec.tflite) == len(spec.tflite)  # so that sizes do not tell
    mixed = files | {"model/model_data.cc": other["model/model_data.cc"]}
    program = build_application(write_files(mixed, tmp_path / "p"), tmp_path / "program")
    shown = lines(run_application(program))
    assert "STOPPED: model_data.cc is damaged, or of another compilation" in shown
    assert not any("self-test" in line or "ready" in line for line in shown)


def talk(program: Path, *requests: bytes, fault: str = "") -> list[Answer]:
    """The answers to requests that follow on a hello with sequence 0."""
    hello, *rest = answers(run_application(program, fault, frame(HELLO) + b"".join(requests)))
    assert (hello.kind, hello.sequence) == (HELLO | ANSWER, 0)
    return rest


def figures(answer: Answer) -> dict[str, int]:
    """The statistics, as many as `server.h` names."""
    names = re.findall(r"(?m)^  SCANLET_([A-Z_]+),", SERVER.read_text())
    values = struct.unpack(f"<{len(answer.payload) // 4}I", answer.payload)
    return dict(zip([name.lower() for name in names if name != "FIGURES"], values, strict=True))


def inputs(spec: ProjectSpec, sample: int) -> bytes:
    return b"".join(x.tobytes() for x in spec.golden_inputs[sample])


def test_inference_requests_are_answered_with_time_and_outputs(program, spec) -> None:
    order = [1, 0, 2]
    requests = [frame(INFER, inputs(spec, i), sequence=40 + n) for n, i in enumerate(order)]
    got = talk(program, *requests)
    assert [(a.kind, a.sequence) for a in got] == [(INFER | ANSWER, n) for n in (40, 41, 42)]
    for answer, i in zip(got, order, strict=True):
        assert struct.unpack_from("<I", answer.payload)[0] > 0
        expected = b"".join(y.astype(np.float32).tobytes() for y in spec.golden_outputs[i])
        assert answer.payload[4:] == expected


def test_hello_names_model_shapes_and_classes(program, spec) -> None:
    (answer,) = answers(run_application(program, requests=frame(HELLO, sequence=65535)))
    assert (answer.kind, answer.sequence) == (HELLO | ANSWER, 65535)
    described = dict(line.split("=", 1) for line in answer.payload.decode().splitlines())
    assert described["model"] == spec.name
    assert described["model_sha256"] == hashlib.sha256(spec.tflite).hexdigest()
    assert (described["mode"], described["precision"]) == ("sequence", "float32")
    assert described["input0.shape"] == "x".join(map(str, spec.inputs[0].shape))
    assert described["input0.dtype"] == "float32"
    assert [described[f"label{i}"] for i in range(len(spec.labels))] == list(spec.labels)


def test_reset_is_confirmed(program) -> None:
    (answer,) = talk(program, frame(RESET, sequence=7))
    assert (answer.kind, answer.sequence, answer.payload) == (RESET | ANSWER, 7, b"")


def test_a_repeated_request_is_answered_again_and_not_carried_out_again(program, spec) -> None:
    request = frame(INFER, inputs(spec, 1), sequence=1)
    first, second, counted = talk(program, request, request, frame(STATISTICS, sequence=2))
    assert first == second
    assert figures(counted)["inferences"] == 1
    assert figures(counted)["repeated"] == 1


def test_a_repeated_reset_or_self_test_is_carried_out_once(program) -> None:
    twice = [frame(kind, sequence=n) for n, kind in ((1, RESET), (2, SELF_TEST)) for _ in range(2)]
    output = run_application(program, "telling", frame(HELLO) + b"".join(twice))
    _, *found = answers(output)
    assert [a.kind & 0x7F for a in found] == [RESET, RESET, SELF_TEST, SELF_TEST]
    assert found[0] == found[1]
    assert found[2] == found[3]
    served = output[output.index(b"ready") :]
    samples = 3  # a self-test resets before each, and behind the last
    assert served.count(b"[reset]") == 1 + 1 + samples + 1  # hello, reset, self-test
    assert struct.unpack("<2I", found[2].payload) == (0, samples)


def test_a_request_that_the_line_kept_back_is_not_answered(program, spec) -> None:
    old = frame(INFER, inputs(spec, 0), sequence=65535)
    new = frame(RESET, sequence=0)
    whole = frame(HELLO, sequence=65534) + old + new + old + frame(STATISTICS, sequence=1)
    _, first, second, counted = answers(run_application(program, requests=whole))
    assert (first.kind, second.kind) == (INFER | ANSWER, RESET | ANSWER)
    assert figures(counted)["stale"] == 1
    assert figures(counted)["inferences"] == 1


def test_a_session_begins_with_hello_and_ends_with_the_next_ones(program, spec) -> None:
    output = run_application(
        program,
        requests=frame(INFER, inputs(spec, 0), sequence=1)
        + frame(HELLO, session=1)
        + frame(RESET, sequence=5, session=1)
        + frame(HELLO, session=2)
        + frame(RESET, sequence=6, session=1)
        + frame(RESET, sequence=1, session=2),
    )
    early, *others = answers(output)
    assert (early.kind, early.payload[0]) == (ERROR, SESSION_ERROR)
    assert [(a.kind & 0x7F, a.session) for a in others] == [
        *((HELLO, 1), (RESET, 1), (HELLO, 2), (ERROR & 0x7F, 1), (RESET, 2))
    ]


def test_statistics_count_what_happened(program, spec) -> None:
    damaged = bytearray(frame(INFER, inputs(spec, 0), sequence=9))
    damaged[-1] ^= 1
    broken = bytearray(frame(INFER, inputs(spec, 0), sequence=9))
    broken[13] ^= 1
    found = talk(
        program,
        frame(INFER, inputs(spec, 0), sequence=1),
        frame(INFER, inputs(spec, 1), sequence=2),
        bytes(damaged),
        bytes(broken),
        frame(RESET, sequence=3, version=3),
        frame(0x55, sequence=4),
        frame(STATISTICS, sequence=5),
    )
    assert [(a.kind, a.payload[:1]) for a in found[2:6]] == [
        *((ERROR, b"\1"), (ERROR, b"\1"), (ERROR, b"\2"), (ERROR, b"\4"))
    ]
    assert [(a.session, a.sequence) for a in found[2:4]] == [(SESSION, 9), (0, 0)]
    counted = figures(found[6])
    expected = {
        **{"inferences": 2, "failures": 0, "resets": 1, "requests": 5, "refused": 1},
        **{"damaged_payloads": 1, "damaged_headers": 1, "other_versions": 1, "too_long": 0},
        **{"memory_used": 1234, "memory_reserved": spec.arena_bytes + spec.arena_margin_bytes},
        **{"stack_unused": 2345, "last_us": counted["longest_us"], "total_us_high": 0},
    }
    assert {name: counted[name] for name in expected} == expected
    assert counted["total_us_low"] == 2 * counted["last_us"] > 0


@pytest.mark.parametrize(
    ("request_bytes", "message"),
    [
        (frame(INFER, b"\0" * 8, 1), "length is not that of the request"),
        (frame(INFER, b"\0" * 100_000, 1), "length is not that of the request"),
        (frame(RESET, b"\0", 1), "length is not that of the request"),
        (frame(0x55, sequence=1), "unknown request type"),
        (frame(0, sequence=1), "unknown request type"),
        (frame(RESET, sequence=1)[:-1] + b"\xff", "arrived damaged"),
        (frame(RESET, sequence=1, version=9), "another version of the protocol"),
        (frame(RESET, sequence=1, session=5), "say hello first"),
    ],
)
def test_a_bad_request_gets_an_error_and_the_next_one_its_answer(
    program, request_bytes, message
) -> None:
    error, answer = talk(program, request_bytes, frame(RESET, sequence=9))
    assert error.kind == ERROR
    assert message in error.payload[1:].decode()
    assert (answer.kind, answer.sequence) == (RESET | ANSWER, 9)


def test_a_failing_inference_is_reported(program, spec) -> None:
    (answer,) = talk(program, frame(INFER, inputs(spec, 0), sequence=1), fault="failing")
    assert answer.kind == ERROR
    assert answer.payload == bytes([FAILED_ERROR]) + b"the model failed"


def test_a_request_whose_rest_does_not_come_is_dropped_and_said(program) -> None:
    (error,) = talk(program, frame(INFER, b"\0" * 96, sequence=1)[:-30])
    assert (error.kind, error.session, error.payload[0]) == (ERROR, 0, 1)


def test_noise_between_requests_is_ignored(program) -> None:
    noise = b"boot log SCN SC SCN0 \xff\x00"
    (answer,) = talk(program, noise + frame(RESET, sequence=1) + noise)
    assert answer.sequence == 1
