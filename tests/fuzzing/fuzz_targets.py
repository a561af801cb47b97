"""Everything that is fuzzed: a name, and a function that runs so many inputs."""

from __future__ import annotations

from collections.abc import Callable

from fuzz_engine import FuzzRun

#: `run_fuzzing.py` (make fuzz) goes through all of them.
FUZZERS: dict[str, Callable[[int], FuzzRun]] = {}
