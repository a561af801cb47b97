"""Programs that scanlet starts or that its projects need: what for, and how to get each.

The one table behind the errors that name packages, `scanlet doctor` and system-packages.txt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Programs that are always there, or come with what `make` itself needs.
ORDINARY = frozenset({"gcc", "g++", "sed"})


@dataclass(frozen=True)
class Program:
    """`packages` of Debian bring it, the last one the program itself; `otherwise` says how to get
    what Debian does not have."""

    name: str
    purpose: str
    packages: tuple[str, ...] = ()
    otherwise: str | None = None


_HOST = "run and verify here"
_ARM = "--on cortex-m*; STM32 projects"
_XTENSA = "--on xtensa-fpu"
_RISCV = "--on rv32imc"

PROGRAMS: dict[str, Program] = {
    program.name: program
    for program in (
        Program("cc", f"{_HOST}; --on, every core", ("gcc",)),
        Program("c++", _HOST, ("g++",)),
        Program("arm-none-eabi-gcc", _ARM, ("libnewlib-arm-none-eabi", "gcc-arm-none-eabi")),
        Program("arm-none-eabi-addr2line", _ARM, ("gcc-arm-none-eabi",)),
        Program("clang-22", "--on cortex-m55, xtensa-fpu", ("clang-22",)),
        Program("llc-22", _XTENSA, ("llvm-22",)),
        Program("llvm-mc-22", _XTENSA, ("llvm-22",)),
        Program("xtensa-lx106-elf-gcc", _XTENSA, ("picolibc-xtensa-lx106-elf", "gcc-xtensa-lx106")),
        Program("xtensa-lx106-elf-ld", _XTENSA, ("binutils-xtensa-lx106",)),
        Program("xtensa-lx106-elf-addr2line", _XTENSA, ("binutils-xtensa-lx106",)),
        Program("sed", _XTENSA, ("sed",)),
        Program("riscv64-unknown-elf-gcc", _RISCV, ("gcc-riscv64-unknown-elf",)),
        Program("riscv64-unknown-elf-addr2line", _RISCV, ("gcc-riscv64-unknown-elf",)),
        Program("qemu-system-arm", "--on cortex-m*", ("qemu-system-arm",)),
        Program("qemu-system-xtensa", _XTENSA, ("qemu-system-misc",)),
        Program("qemu-system-riscv32", _RISCV, ("qemu-system-misc",)),
        Program("cmake", "build STM32 and library projects", ("cmake",)),
        Program(
            "idf.py",
            "build and flash ESP32 projects",
            otherwise="install ESP-IDF 5.1 or newer "
            "(https://docs.espressif.com/projects/esp-idf/), then `. export.sh` in its folder",
        ),
        Program("chromium", "scanlet's own tests", ("chromium",)),
        Program("clang-tidy-22", "scanlet's own tests", ("clang-tidy-22",)),
        Program("cppcheck", "scanlet's own tests", ("cppcheck",)),
    )
}


def packages_of(names: Iterable[str]) -> tuple[str, ...]:
    """Debian's packages that bring the programs, each once."""
    return tuple(dict.fromkeys(p for name in names for p in PROGRAMS[name].packages))


def install_line(packages: Iterable[str]) -> str:
    """The command that installs Debian packages."""
    return f"apt-get install {' '.join(packages)}"


def how_to_get(names: Iterable[str]) -> list[str]:
    """What to do for the programs: a line for Debian's, one for each of the others."""
    names = list(names)
    packages = packages_of(names)
    lines = [install_line(packages)] if packages else []
    return lines + [
        f"{name}: {other}" for name in names if (other := PROGRAMS[name].otherwise) is not None
    ]
