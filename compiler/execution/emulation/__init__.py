"""Run C programs as real machine code on emulated microcontroller cores, and measure them."""

from __future__ import annotations

from scanlet.execution.emulation.cores import ALL as CORES
from scanlet.execution.emulation.cores import Core, find
from scanlet.execution.emulation.counting import Counts
from scanlet.execution.emulation.program import (
    Measurement,
    ProgramResult,
    Sizes,
    check_tools,
    describe_tools,
    measure,
    run_program,
)

__all__ = [
    "CORES",
    "Core",
    "Counts",
    "Measurement",
    "ProgramResult",
    "Sizes",
    "check_tools",
    "describe_tools",
    "find",
    "measure",
    "run_program",
]
