"""The fuzzing itself: what is planted is found, kept, and said; what is fine passes."""

from __future__ import annotations

from pathlib import Path

import fuzz_engine
import pytest
from fuzz_engine import FuzzTarget, build, dictionary, fuzz, replay

HERE = Path(__file__).parent


def planted(defect: str) -> FuzzTarget:
    return FuzzTarget(
        "planted",
        (HERE / "planted_fuzzer.cc",),
        defines=(f"PLANTED_{defect}",),
        seeds=(b"under",),
        longest=16,
    )


@pytest.mark.parametrize(
    ("defect", "words"),
    [
        ("OVERFLOW", "heap-buffer-overflow"),
        ("UNDEFINED", "signed integer overflow"),
        ("CAST", "outside the range of representable values"),
        ("HANG", "timeout"),
        ("LEAK", "leaked"),
    ],
)
def test_what_is_planted_is_found_and_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defect: str, words: str
) -> None:
    monkeypatch.setattr(fuzz_engine, "HANG", 1)
    monkeypatch.setattr(fuzz_engine, "FINDINGS", tmp_path / "kept")
    target = planted(defect)
    program = build(target, tmp_path / "program")
    run = fuzz(program, target, runs=100_000)
    assert run.finding is not None
    assert run.finding.data.startswith(b"over")
    assert words in run.finding.what
    with pytest.raises(AssertionError, match=words) as failure:
        run.check()
    assert run.finding.data.hex() in str(failure.value)
    (kept,) = (tmp_path / "kept" / "planted").iterdir()
    (tmp_path / "fine").write_bytes(b"under")
    (again,) = replay(program, "planted", [kept, tmp_path / "fine"])
    assert words in again.what


def test_a_target_without_a_defect_runs_all_its_inputs_and_repeats(tmp_path: Path) -> None:
    target = planted("NOTHING")
    program = build(target, tmp_path)
    first, second = (fuzz(program, target, runs=3000).check() for _ in range(2))
    assert first.executions == 3000
    assert first.edges > 2
    assert (first.edges, first.features) == (second.edges, second.features)


def test_a_harness_that_does_not_compile_says_why(tmp_path: Path) -> None:
    source = tmp_path / "broken.cc"
    source.write_text("int LLVMFuzzerTestOneInput(", "utf-8")
    with pytest.raises(AssertionError, match="error: expected"):
        build(FuzzTarget("broken", (source,)), tmp_path / "program")


def test_words_are_written_in_the_dictionary_s_format() -> None:
    assert dictionary([b'a"\\\0', b"", b"\xff"]) == '"\\x61\\x22\\x5c\\x00"\n"\\xff"\n'
