"""What the harness must know about one core: how to compile, link and run a program for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Commands that make `object` of `source`; the options (defines, include folders) go to the C
#: compiler alone. Intermediate files lie beside the object.
CompileCommands = Callable[[Path, Path, Sequence[str]], list[list[str]]]

#: The command that links objects, given the output and the linker's own options.
LinkCommand = Callable[[Sequence[Path], Path, Sequence[str]], list[str]]

#: Options of every C compiler here. Multiply-adds are fused only where the source says so.
C_OPTIONS = (
    *("-std=c11", "-O2", "-ffunction-sections", "-fdata-sections"),
    *("-ffp-contract=off", "-fno-math-errno"),
    "-g",  # counts are told by inlined function, too; the code is the same
)

#: Further options for the start files: no loop may become a call of a library function.
START_FILE_OPTIONS = (
    *("-fno-builtin", "-Wall", "-Wextra", "-Wshadow", "-Wconversion"),
    *("-Wdouble-promotion", "-Wvla", "-Werror"),
)


@dataclass(frozen=True)
class Core:
    """One emulated core.

    `has_fused_multiply_add`: the core has an instruction for it, so a fused build differs.
    `start_files` and `linker_script` lie in tflm_ops/bare_metal. `tools` are the programs that
    building and running need, the emulator last. `thumb`: code addresses in symbols carry a mode
    bit.
    """

    name: str
    description: str
    compiler: str
    has_fused_multiply_add: bool
    start_files: tuple[str, ...]
    linker_script: str
    emulator: tuple[str, ...]
    addr2line: str
    tools: tuple[str, ...]
    compile_commands: CompileCommands
    link_command: LinkCommand
    include_dirs: tuple[str, ...] = ()  # in tflm_ops/bare_metal, for cores without a C library
    library_sources: tuple[str, ...] = ()  # C sources there for what Debian's libraries lack
    thumb: bool = False
