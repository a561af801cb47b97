"""Run a linked program in QEMU and say what became of it."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from scanlet.errors import ExecutionError
from scanlet.execution.emulation import elf, tools
from scanlet.execution.emulation.build import Program

_LAST_OUTPUT = 2000  # characters of text and of QEMU's messages shown in an error


@dataclass(frozen=True)
class Finished:
    """What a program that came to its end left behind; the stack is in bytes."""

    output: bytes
    text: str
    stack_bytes: int
    seconds: float


def run(
    program: Program,
    folder: Path,
    *,
    input_bytes: bytes = b"",
    timeout_s: float,
    arguments: tuple[str, ...] = (),
) -> Finished:
    """Run the program with `folder` (empty, of its own) as QEMU's working directory.

    Raises ExecutionError with core, fault and last output if the program faults, runs longer than
    `timeout_s`, or returns anything but 0.
    """
    core = program.core
    command = [
        *(tools.find_tool(core.emulator[0]), *core.emulator[1:]),
        *("-display", "none", "-monitor", "none", "-serial", "none", "-no-reboot"),
        *("-kernel", str(program.path)),
    ]
    if input_bytes:
        (folder / "input").write_bytes(input_bytes)
        address = program.image.address("scanlet_input")
        command += ["-device", f"loader,file=input,addr={address:#x},force-raw=on"]
    started = time.monotonic()
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failure(program, folder, f"did not finish within {timeout_s:g} s") from None
    except OSError as error:
        raise ExecutionError(f"QEMU does not start: {error}", where=core.name) from error
    seconds = time.monotonic() - started
    status = dict(
        line.split(" ", 1) for line in _read(folder / "status").splitlines() if " " in line
    )
    if "fault" in status:
        raise _failure(program, folder, f"faulted: {_with_function(program, status['fault'])}")
    if "result" not in status or done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-_LAST_OUTPUT:]
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"{done.returncode}"
        raise _failure(program, folder, f"stopped the emulator (exit status {ended}): {said}")
    if status["result"] != "0":
        raise _failure(program, folder, f"returned {status['result']}")
    return Finished(
        output=(folder / "output").read_bytes(),
        text=_read(folder / "text"),
        stack_bytes=int(status["stack"]),
        seconds=seconds,
    )


def _failure(program: Program, folder: Path, what: str) -> ExecutionError:
    text = _read(folder / "text")[-_LAST_OUTPUT:]
    last = f"last output: {text!r}" if text else "it had printed nothing"
    return ExecutionError(f"the program {what}\n{last}", where=program.core.name)


def _with_function(program: Program, fault: str) -> str:
    """The fault with the name of the function behind its program counter."""
    match = re.search(r"pc (0x[0-9a-f]+)", fault)
    name = elf.function_at(program.functions, int(match.group(1), 16)) if match else None
    return f"{fault} (in {name})" if name else fault


def _read(path: Path) -> str:
    """A text file, empty if the program ended before it made it."""
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""
