"""The serial server under coverage-guided fuzzing; 100,000 inputs are `make fuzz`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fuzz_engine import build, corpus, fuzz, replay
from serial_target import SERIAL, TARGET

#: A server that runs a repeated request again, and one that believes any payload's length.
DEFECTS = {
    "repeats": ("ahead == 0u && header->type == server->type", "0"),
    "overflow": ("parser->header.length > parser->capacity", "0"),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(TARGET, tmp_path_factory.mktemp("serial"))


def test_no_bytes_harm_the_server(program: Path) -> None:
    run = fuzz(program, TARGET, runs=8000).check()
    assert run.executions >= 8000
    assert run.edges > 150


def test_past_findings_stay_mended(program: Path) -> None:
    assert replay(program, TARGET.name, corpus(TARGET.name)) == []


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defective_server_is_found(tmp_path: Path, defect: str) -> None:
    right, wrong = DEFECTS[defect]
    copies = []
    for source in TARGET.sources:
        text = source.read_text("utf-8")
        copies.append(tmp_path / source.name)
        copies[-1].write_text(text.replace(right, wrong), "utf-8")
    subprocess.run(["cp", *map(str, SERIAL.glob("*.h")), str(tmp_path)], check=True)
    target = type(TARGET)("serial", tuple(copies), (tmp_path,), seeds=TARGET.seeds)
    assert fuzz(build(target, tmp_path / "program"), target, runs=20_000).finding is not None
