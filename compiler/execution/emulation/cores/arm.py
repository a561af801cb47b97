"""Cortex-M cores: boards with megabytes of RAM, GNU compilers, and clang for vector code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scanlet.execution.emulation.cores.base import C_OPTIONS, CompileCommands, Core, LinkCommand
from scanlet.execution.emulation.tools import output_of

GCC = "arm-none-eabi-gcc"
CLANG = "clang-22"
ADDR2LINE = "arm-none-eabi-addr2line"
QEMU = "qemu-system-arm"


def _gcc(flags: Sequence[str]) -> CompileCommands:
    def commands(source: Path, obj: Path, options: Sequence[str]) -> list[list[str]]:
        return [[GCC, *flags, *C_OPTIONS, *options, "-c", str(source), "-o", str(obj)]]

    return commands


def _clang(flags: Sequence[str]) -> CompileCommands:
    def commands(source: Path, obj: Path, options: Sequence[str]) -> list[list[str]]:
        # newlib's headers: Debian keeps them beside the folder of the library.
        library = Path(output_of(GCC, "-print-file-name=libc.a"))
        include = library.resolve().parent.parent / "include"
        # GNU addr2line does not see inlined functions in clang's default, DWARF 5.
        arguments = [*flags, *C_OPTIONS, "-gdwarf-4", "-isystem", str(include), *options]
        return [[CLANG, *arguments, "-c", str(source), "-o", str(obj)]]

    return commands


def _link(flags: Sequence[str]) -> LinkCommand:
    def command(objects: Sequence[Path], elf: Path, options: Sequence[str]) -> list[str]:
        linker = [f"-Wl,{option}" for option in options]
        return [GCC, *flags, "-nostartfiles", *linker, *map(str, objects), "-lm", "-o", str(elf)]

    return command


def _core(
    name: str,
    description: str,
    flags: Sequence[str],
    board: str,
    script: str,
    *,
    clang_flags: Sequence[str] | None = None,
) -> Core:
    return Core(
        name=name,
        description=description,
        compiler=GCC if clang_flags is None else CLANG,
        has_fused_multiply_add=True,
        start_files=("program.c", "arm.c"),
        linker_script=script,
        emulator=(QEMU, "-M", board, "-semihosting"),
        addr2line=ADDR2LINE,
        tools=(GCC, ADDR2LINE, QEMU) if clang_flags is None else (CLANG, GCC, ADDR2LINE, QEMU),
        compile_commands=_gcc(flags) if clang_flags is None else _clang(clang_flags),
        link_command=_link(flags),
        thumb=True,
    )


_M55 = ("-mcpu=cortex-m55", "-mfloat-abi=hard")

CORES = (
    _core(
        "cortex-m4",
        "Cortex-M4F: single-precision float unit",
        ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
        "mps2-an386",
        "mps2.ld",
    ),
    _core(
        "cortex-m7",
        "Cortex-M7: double-precision float unit",
        ("-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"),
        "mps2-an500",
        "mps2.ld",
    ),
    _core(
        "cortex-m55",
        "Cortex-M55: 128-bit vectors (Helium), float and integer",
        _M55,
        "mps3-an547",
        "mps3.ld",
        clang_flags=("--target=thumbv8.1m.main-none-eabihf", *_M55),
    ),
)

#: The same core with code that gcc made, for comparison.
CORTEX_M55_GCC = _core(
    "cortex-m55-gcc", "Cortex-M55, compiled with gcc", _M55, "mps3-an547", "mps3.ld"
)
