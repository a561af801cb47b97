"""Compilers and emulators: which Debian package brings each, and running them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scanlet.errors import ExecutionError, MissingToolError
from scanlet.execution.programs import PROGRAMS, install_line, packages_of

#: Time limit of one compiler or linker call, in seconds.
BUILD_TIMEOUT_S = 300.0


def find_tool(name: str) -> str:
    """Path of the program. Raises MissingToolError naming the package to install."""
    path = shutil.which(name)
    if path is None:
        package = PROGRAMS[name].packages[-1]
        raise MissingToolError(
            f"{name} is not installed", hint=f"{install_line([package])} (Debian)"
        )
    return path


def is_installed(name: str) -> bool:
    return shutil.which(name) is not None


def check(core: str, tools: Sequence[str]) -> None:
    """Raise one MissingToolError for everything that running on `core` misses."""
    missing = [tool for tool in tools if not is_installed(tool)]
    if missing:
        raise MissingToolError(
            f"{', '.join(missing)} not found",
            where=f"running on {core}",
            hint=f"{install_line(packages_of(missing))} (Debian's packages)",
        )


def version(tool: str) -> str:
    """First line of what the program says about its version."""
    path = find_tool(tool)
    return _version(path, os.stat(path).st_mtime_ns)


@functools.cache
def _version(path: str, changed: int) -> str:  # noqa: ARG001 - part of the cache's key
    lines = run([path, "--version"]).splitlines()
    # LLVM's tools begin with their home page.
    return next((line.strip() for line in lines if any(c.isdigit() for c in line)), lines[0])


def output_of(tool: str, option: str) -> str:
    """What the compiler prints for an option such as -print-libgcc-file-name."""
    return _output_of(find_tool(tool), option)


@functools.cache
def _output_of(path: str, option: str) -> str:
    return run([path, option]).strip()


def run(command: Sequence[str], *, text: str = "", where: str | None = None) -> str:
    """Standard output of a build step that is given `text` as its input.

    Raises ExecutionError with everything that the tool said.
    """
    find_tool_of(command[0])
    try:
        result = subprocess.run(
            list(command),
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExecutionError(
            f"{Path(command[0]).name} did not finish within {BUILD_TIMEOUT_S:g} s", where=where
        ) from None
    if result.returncode != 0:
        said = (result.stderr + result.stdout).strip() or f"exit status {result.returncode}"
        raise ExecutionError(f"{Path(command[0]).name} failed:\n{said}", where=where)
    return result.stdout


def find_tool_of(program: str) -> str:
    """`find_tool` for a name; a path passes through."""
    return program if os.sep in program else find_tool(program)
