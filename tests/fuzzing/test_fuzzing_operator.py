"""The operator under fuzzing: what `prepare` accepts runs, what it refuses it refuses in words."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from fuzz_engine import FuzzTarget, build, corpus, fuzz, replay
from operator_models import MODELS
from operator_nodes import custom_operators, operator_target

import scanlet
from scanlet.emit.kinds import BY_CODE, KIND_GELU
from scanlet.emit.parameters.custom_options import decode

RUNS = 100_000
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
MESSAGE = re.compile(r'ReportOpError\(\s*context,\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')


@pytest.fixture(scope="module")
def models() -> dict[str, scanlet.Compiled]:
    return {model.name: model.compile() for model in MODELS}


@pytest.fixture(scope="module")
def target(
    models: dict[str, scanlet.Compiled], tmp_path_factory: pytest.TempPathFactory
) -> FuzzTarget:
    return operator_target("operator", [*models.values()], tmp_path_factory.mktemp("operator"))


@pytest.fixture(scope="module")
def program(target: FuzzTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(target, tmp_path_factory.mktemp("program"))


def test_the_models_have_every_kind_of_layer(models: dict[str, scanlet.Compiled]) -> None:
    options = [o.custom_options for m in models.values() for o in custom_operators(m)]
    assert {decode(block).kind for block in options} == {*BY_CODE, KIND_GELU}


def test_past_findings_stay_mended(program: Path) -> None:
    inputs = corpus("operator")
    assert len(inputs) > 10
    findings = replay(program, "operator", inputs)
    assert not findings, "\n\n".join(f"{f.what}\n{f.log[-3000:]}" for f in findings)


def test_fuzzing_finds_nothing_and_gets_everywhere(
    program: Path, target: FuzzTarget, models: dict[str, scanlet.Compiled]
) -> None:
    run = fuzz(program, target, RUNS).check()
    assert run.executions == RUNS
    counts = {what: int(count) for count, what in re.findall(r"(\d+)  (.*)", run.printed)}
    # Every refusal of the operator happened, every layer was prepared, and many ran as they should.
    source = models["reals"].component["selective_ssm_reals_registration.cc"]
    messages = ["".join(LITERAL.findall(found)) for found in MESSAGE.findall(source)]
    assert len(messages) > 20
    unsaid = {
        message
        for message in (m.removeprefix("SELECTIVE_SSM: ").replace('\\"', '"') for m in messages)
        if f"message: {message}" not in counts
    }
    assert unsaid == set()
    nodes = [f"{m.name}_{i}" for m in models.values() for i in range(len(custom_operators(m)))]
    rarely = {node for node in nodes if counts.get(f"node: {node}", 0) < RUNS // 2000}
    assert rarely == set()
    assert counts["prepared"] > RUNS // 20
    assert counts["compared"] > RUNS // 10


DEFECTS = {
    # What the options say beyond their signature no longer matters.
    "options": (
        "memcmp(data->options, block, bytes) == 0",
        "memcmp(data->options, block, 12) == 0",
        "prepare accepts what does not fit",
    ),
    "steps": ("length < 1", "length < 2", "prepare refuses what fits"),
    "state": (
        "memset(data->state, 0, data->layer->state_bytes)",
        "(void)data->state",
        "a wrong result",
    ),
    "scratch": (
        "size_t scratch_bytes = layer->scratch_bytes;",
        "size_t scratch_bytes = layer->scratch_bytes / 2;",
        "heap-buffer-overflow",
    ),
}


def test_a_defect_of_the_operator_would_be_found(
    models: dict[str, scanlet.Compiled], tmp_path: Path
) -> None:
    model = models["byte_stream"]
    path = "selective_ssm_byte_stream_registration.cc"
    for name, (before, after, words) in DEFECTS.items():
        source = model.component[path]
        assert source.count(before) == 1
        component = {**model.component, path: source.replace(before, after)}
        spoilt = replace(model, component=component)
        target = operator_target(name, [spoilt], tmp_path / name / "sources")
        run = fuzz(build(target, tmp_path / name), target, 20_000)
        assert run.finding is not None, name
        assert words in run.finding.what
