"""Xtensa with a float unit (as in ESP32 and ESP32-S3), call0 ABI, compiled by LLVM.

Debian's gcc knows only the core without a float unit. LLVM's own object writer misaligns
literals, so the code takes the way through assembly text; its libraries come from that gcc.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scanlet.execution.emulation.cores.base import C_OPTIONS, Core
from scanlet.execution.emulation.tools import output_of

CLANG = "clang-22"
LLC = "llc-22"
ASSEMBLER = "llvm-mc-22"
LINKER = "xtensa-lx106-elf-ld"
GCC = "xtensa-lx106-elf-gcc"
ADDR2LINE = "xtensa-lx106-elf-addr2line"
QEMU = "qemu-system-xtensa"

_CPU = ("-mtriple=xtensa", "-mcpu=esp32")
#: What the emulated core lacks of an ESP32; and no register windows, as in the libraries.
_ATTRIBUTES = "-mattr=-mul32high,-s32c1i,-windowed"


def _c_library() -> Path:
    return Path(output_of(GCC, "-print-file-name=libc.a")).resolve().parent


def _compile(source: Path, obj: Path, options: Sequence[str]) -> list[list[str]]:
    if source.suffix in (".s", ".S"):
        return [_assemble(source, obj)]
    code, assembly = obj.with_suffix(".ll"), obj.with_suffix(".s")
    include = _c_library().parent / "include"
    flags = ["--target=xtensa", "-gdwarf-4", "-fomit-frame-pointer"]
    frontend = [*flags, *C_OPTIONS, "-isystem", str(include), *options]
    return [
        [CLANG, *frontend, "-emit-llvm", "-S", str(source), "-o", str(code)],
        [
            *(LLC, "-O2", *_CPU, _ATTRIBUTES, "--function-sections", "--data-sections"),
            *(str(code), "-o", str(assembly)),
        ],
        # LLVM writes unwinding information for the debugger that its assembler does not read.
        ["sed", "-i", r"/^\t\.cfi_/d", str(assembly)],
        _assemble(assembly, obj),
    ]


def _assemble(source: Path, obj: Path) -> list[str]:
    cpu = ["-triple=xtensa", "-mcpu=esp32", "-mattr=-windowed", "-filetype=obj"]
    return [ASSEMBLER, *cpu, str(source), "-o", str(obj)]


def _link(objects: Sequence[Path], elf: Path, options: Sequence[str]) -> list[str]:
    libgcc = output_of(GCC, "-print-libgcc-file-name")
    libraries = [f"-L{_c_library()}", "--start-group", "-lm", "-lc", libgcc, "--end-group"]
    return [LINKER, "--no-relax", *options, *map(str, objects), *libraries, "-o", str(elf)]


CORES = (
    Core(
        name="xtensa-fpu",
        description="Xtensa with a single-precision float unit, as in ESP32 and ESP32-S3",
        compiler=CLANG,
        has_fused_multiply_add=True,
        start_files=("program.c", "xtensa.c", "xtensa_startup.s"),
        linker_script="xtensa.ld",
        emulator=(QEMU, "-M", "sim", "-cpu", "de233_fpu", "-semihosting"),
        addr2line=ADDR2LINE,
        tools=(CLANG, LLC, ASSEMBLER, LINKER, GCC, ADDR2LINE, QEMU),
        compile_commands=_compile,
        link_command=_link,
        library_sources=("xtensa_libgcc.c", "small_libm.c"),
    ),
)
