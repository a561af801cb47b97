"""Everything that is fuzzed: a name, and a function that runs so many inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz_engine import FuzzRun, build, fuzz


def fuzz_serial(runs: int) -> FuzzRun:
    """The serial server: bytes, frames and silences."""
    from serial_target import TARGET

    with TemporaryDirectory() as folder:
        return fuzz(build(TARGET, Path(folder)), TARGET, runs)


def fuzz_operator(runs: int) -> FuzzRun:
    """The generated operator: what `prepare` accepts, what it refuses, what runs then."""
    from operator_models import MODELS
    from operator_nodes import operator_target

    with TemporaryDirectory() as made:
        folder = Path(made)
        compiled = [model.compile() for model in MODELS]
        target = operator_target("operator", compiled, folder / "sources")
        return fuzz(build(target, folder / "program"), target, runs)


def fuzz_validator(runs: int) -> FuzzRun:
    """The flatbuffer validator, and what passes it in the interpreter."""
    from validator_target import fuzz_damage

    return fuzz_damage(runs)


#: `run_fuzzing.py` (make fuzz) goes through all of them.
FUZZERS: dict[str, Callable[[int], FuzzRun]] = {
    "serial": fuzz_serial,
    "operator": fuzz_operator,
    "validator": fuzz_validator,
}
