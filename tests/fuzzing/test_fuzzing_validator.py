"""The flatbuffer validator under fuzzing, bounded; `make fuzz` runs 100,000 inputs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_engine import corpus
from validator_mutator import mutate
from validator_target import HERE, NAME, fate, fuzz_damage, known_seeds

from scanlet.emit.flatbuffer_reader import validate
from scanlet.errors import ScanletError

RUNS, SURVIVORS = 5000, 80


def test_every_seed_passes_and_runs():
    for seed in known_seeds():
        assert fate(seed.tflite) == ("ran", None), seed.name


def test_damaged_files_are_refused_or_run_and_never_break_anything():
    run = fuzz_damage(RUNS, SURVIVORS).check()
    assert run.executions >= RUNS
    assert " ran " in f" {run.printed} ", run.printed


def test_what_was_once_a_finding_is_none_any_more():
    paths = corpus(NAME)
    assert len(paths) > 5
    for path in paths:
        outcome, finding = fate(path.read_bytes())
        assert finding is None, (path.name, outcome, finding)
        assert outcome == "refused by the validator", path.name


def test_damage_is_repeatable_and_mostly_past_the_checksum():
    files = [seed.tflite for seed in known_seeds()]
    said = []
    for number in range(300):
        data = mutate(files[number % len(files)], files, number, 1 << 14)
        assert data == mutate(files[number % len(files)], files, number, 1 << 14)
        try:
            validate(data, sealed=True)
            said.append("passes")
        except ScanletError as error:
            said.append(error.message)
    assert sum("checksum" in words for words in said) < 60
    assert len({words[:30] for words in said}) > 25


@pytest.mark.parametrize("how", [[], ["--plain"]], ids=["guided", "plain"])
def test_a_planted_defect_is_found(tmp_path: Path, how: list[str]):
    """A validator that takes numbers of inputs and shapes of outputs for granted."""
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "one").write_bytes(known_seeds()[-1].tflite)
    planted = (
        "import sys; sys.path.insert(0, {here!r}); sys.argv = {argv!r}\n"
        "import validator_fuzzer\n"
        "import scanlet.emit.validation.node as node\n"
        "def need_inputs(self, least, most=None): self.inputs[least - 1].shape\n"
        "def need_output(self, shape, dtype=None): assert self.output.shape == tuple(shape)\n"
        "node.Node.need_inputs, node.Node.need_output = need_inputs, need_output\n"
        "validator_fuzzer.main()\n"
    )
    argv = ["fuzzer", str(tmp_path), "4000", *how]
    subprocess.run(
        [sys.executable, "-c", planted.format(here=str(HERE), argv=argv)],
        capture_output=True,
        check=False,
    )
    assert list((tmp_path / "found").iterdir())
    assert "Error" in (tmp_path / "log").read_text()
