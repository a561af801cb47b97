"""Runs clang-tidy and cppcheck; what they find, a line each."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from scanlet.execution.emulation.tools import output_of

CHECKOUT = Path(__file__).resolve().parents[2]
STUBS = [CHECKOUT / "tests" / "project" / folder for folder in ("stubs", "stubs_idf_5_3")]
SANE = "--enable=warning,style,performance,portability"
#: Right shifts of negative numbers: int_scale.h asserts that the compiler rounds them down.
ACCEPTED = ("--suppress=shiftNegativeLHS",)


def headers_of(compiler: str) -> Path:
    """The folder of a cross compiler's C headers, which clang does not know."""
    library = Path(output_of(compiler, "-print-file-name=libc.a")).resolve()
    return next(
        folder / "include"
        for folder in library.parents
        if (folder / "include" / "string.h").is_file()
    )


@cache
def core_flags(core: str) -> tuple[str, ...]:
    """How clang compiles C for a core, optimised: kernels ask for that."""
    if core == "here":
        return ("-O2",)  # programs for a machine with an operating system
    target, compiler = "arm-none-eabi", "arm-none-eabi-gcc"
    fused = "-DSCANLET_FUSED_MADD=1"
    cpu = {
        "portable": (),  # nothing that a core has beyond C
        "cortex-m7": ("-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard", fused),
        "cortex-m55": ("-mcpu=cortex-m55", "-mfloat-abi=hard", fused),
        "xtensa": (fused,),
    }[core]
    if core == "xtensa":
        target, compiler = "xtensa", "xtensa-lx106-elf-gcc"
    return (f"--target={target}", "-O2", *cpu, "-isystem", str(headers_of(compiler)))


def clang_tidy(files: Sequence[Path], flags: Sequence[str | Path]) -> list[str]:
    """Findings of the checks of .clang-tidy, and errors of the compiler."""
    options = ["--quiet", f"--config-file={CHECKOUT / '.clang-tidy'}"]
    done = subprocess.run(
        ["clang-tidy-22", *options, *map(str, files), "--", *map(str, flags)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"(?m)^.*(?:error|warning): .*$", done.stdout + done.stderr)
    assert found or done.returncode == 0, done.stderr
    return found


def cppcheck(files: Sequence[Path], flags: Sequence[str | Path]) -> list[str]:
    """Findings of cppcheck's checks; `flags` choose the language and the headers."""
    options = ["--quiet", SANE, "--inconclusive", "--inline-suppr", *ACCEPTED]
    done = subprocess.run(
        ["cppcheck", *options, "--template={file}:{line}: {id}: {message}"]
        + [str(word) for word in (*flags, *files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return re.findall(r"(?m)^[^:\n]+:\d+: .*$", done.stderr)
