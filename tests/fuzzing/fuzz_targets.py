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


#: `run_fuzzing.py` (make fuzz) goes through all of them.
FUZZERS: dict[str, Callable[[int], FuzzRun]] = {
    "serial": fuzz_serial,
}
