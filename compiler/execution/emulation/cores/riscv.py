"""RV32IMC: no float unit, no C library in Debian's compiler package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scanlet.execution.emulation.cores.base import C_OPTIONS, Core

GCC = "riscv64-unknown-elf-gcc"
ADDR2LINE = "riscv64-unknown-elf-addr2line"
QEMU = "qemu-system-riscv32"

_ABI = "-mabi=ilp32"


def _compile(source: Path, obj: Path, options: Sequence[str]) -> list[list[str]]:
    # zicsr: the trap handler reads control registers. Without -ffreestanding, gcc's stdint.h
    # would ask for the C library's.
    flags = ["-march=rv32imc_zicsr", _ABI, "-ffreestanding", "-fbuiltin"]
    return [[GCC, *flags, *C_OPTIONS, *options, "-c", str(source), "-o", str(obj)]]


def _link(objects: Sequence[Path], elf: Path, options: Sequence[str]) -> list[str]:
    linker = [f"-Wl,{option}" for option in options]
    # The architecture without zicsr is the one that libgcc was built for.
    flags = ["-march=rv32imc", _ABI, "-nostartfiles", "-nostdlib"]
    return [GCC, *flags, *linker, *map(str, objects), "-lgcc", "-o", str(elf)]


CORES = (
    Core(
        name="rv32imc",
        description="RV32IMC: float in software",
        compiler=GCC,
        has_fused_multiply_add=False,
        start_files=("program.c", "riscv.c"),
        linker_script="virt.ld",
        emulator=(
            *(QEMU, "-M", "virt", "-m", "32M"),
            *("-cpu", "rv32,a=false,f=false,d=false", "-bios", "none", "-semihosting"),
        ),
        addr2line=ADDR2LINE,
        tools=(GCC, ADDR2LINE, QEMU),
        compile_commands=_compile,
        link_command=_link,
        include_dirs=("riscv_libc",),
        library_sources=("riscv_libc/riscv_libc.c", "small_libm.c"),
    ),
)
