"""Run a linked program in QEMU and say what became of it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scanlet.errors import ExecutionError
from scanlet.execution.emulation import elf, tools
from scanlet.execution.emulation.build import Program

#: Seconds between two looks at a program that runs.
_LOOK_S = 0.2
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
    look: Callable[[Path], None] | None = None,
) -> Finished:
    """Run the program with `folder` (empty, of its own) as QEMU's working directory.

    `look` is called with it now and then while the program runs.

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
        returncode, said = _wait([*command, *arguments], folder, started + timeout_s, look)
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
    if "result" not in status or returncode != 0:
        ended = f"signal {-returncode}" if returncode < 0 else f"{returncode}"
        words = said.strip()[-_LAST_OUTPUT:]
        raise _failure(program, folder, f"stopped the emulator (exit status {ended}): {words}")
    if status["result"] != "0":
        raise _failure(program, folder, f"returned {status['result']}")
    return Finished(
        output=(folder / "output").read_bytes(),
        text=_read(folder / "text"),
        stack_bytes=int(status["stack"]),
        seconds=seconds,
    )


def _wait(
    command: list[str], folder: Path, deadline: float, look: Callable[[Path], None] | None
) -> tuple[int, str]:
    """Exit status of QEMU and what it said on standard error; it never outlives this call."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            while True:
                left = deadline - time.monotonic()
                try:
                    _, said = process.communicate(timeout=left if look is None else _LOOK_S)
                    return process.returncode, said.decode("utf-8", "replace")
                except subprocess.TimeoutExpired:
                    if look is None or left <= 0:
                        raise
                    look(folder)
        except BaseException:
            process.kill()
            raise


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
