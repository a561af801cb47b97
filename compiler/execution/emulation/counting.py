"""Exact instruction and memory access counts, by a plugin of QEMU that is built on the spot."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from scanlet.errors import ExecutionError
from scanlet.execution.emulation import elf, tools
from scanlet.execution.emulation.build import Program
from scanlet.execution.emulation.cache import cached, key_of

_BEGIN = "scanlet_counting_starts"
_END = "scanlet_counting_ends"

#: The counting's own code; it runs between the two marks and is not the program's.
_OWN = {_BEGIN, _END, "scanlet_count_begin", "program_count_begin", "scanlet_count_end"}

#: Name in the counts of code that belongs to no function.
ELSEWHERE = "(no function)"

#: File of the counter in the folder of a program that is watched.
EXECUTED = "executed"

_PLUGIN = Path(__file__).with_name("plugin") / "instruction_count.c"
_PLUGIN_OPTIONS = ("-std=c11", "-O2", "-shared", "-fPIC")


@dataclass(frozen=True)
class Counts:
    """What ran between scanlet_count_begin and scanlet_count_end.

    `loads` and `stores` are instructions that read or wrote memory, however many registers each
    one moved; the bytes are what they moved.
    """

    instructions: int = 0
    loads: int = 0
    stores: int = 0
    loaded_bytes: int = 0
    stored_bytes: int = 0

    def __add__(self, other: Counts) -> Counts:
        names = [field.name for field in fields(self)]
        return Counts(*(getattr(self, name) + getattr(other, name) for name in names))


#: Counts of each instruction by its address; None for all code outside the program's text.
ByAddress = Mapping[int | None, Counts]


def plugin_path() -> Path:
    """The plugin as a shared library, built with the system's C compiler if need be."""
    compiler = tools.find_tool("cc")
    source = _PLUGIN.read_text("utf-8")

    def compile_to(path: Path) -> None:
        command = [compiler, *_PLUGIN_OPTIONS, str(_PLUGIN), "-o", str(path)]
        tools.run(command, where="building the counting plugin")

    key = key_of([source, tools.version("cc"), *_PLUGIN_OPTIONS])
    return cached(key, ".so", compile_to)


def arguments(program: Program, folder: Path, *, watched: bool = False) -> tuple[str, ...]:
    """QEMU's arguments for counting; the plugin will write to `folder`.

    `watched`: `executed` can tell how far the program is while it runs.
    """
    # The linker drops what is never called.
    if not {_BEGIN, _END} <= {function.name for function in program.functions}:
        raise _not_counted(program)
    # Linked under a plain name: QEMU splits this argument at commas.
    (folder / "plugin.so").symlink_to(plugin_path())
    own, code = (program.image.sections[name] for name in (".harness_text", ".text"))
    addresses = {
        "code_begin": own.address,
        "code_end": code.address + code.size,
        "begin": program.image.address(_BEGIN),
        "end": program.image.address(_END),
    }
    options = [f"{name}={address:#x}" for name, address in addresses.items()]
    if watched:
        options.append(f"executed={EXECUTED}")
    return ("-plugin", ",".join(["./plugin.so", "counts=counts", *options]))


def executed(folder: Path) -> int:
    """Instructions so far, start files and all, of a program that runs watched in `folder`."""
    try:
        return int.from_bytes((folder / EXECUTED).read_bytes(), sys.byteorder)
    except FileNotFoundError:  # QEMU is still starting
        return 0


def read(program: Program, folder: Path) -> ByAddress:
    """Counts of each instruction that ran, by its address, without the counting's own code."""
    try:
        lines = (folder / "counts").read_text("ascii").splitlines()
    except FileNotFoundError:
        raise _not_counted(program) from None
    counts: dict[int | None, Counts] = {}
    for line in lines:
        place, *values = line.split()
        address = None if place == "elsewhere" else int(place)
        if address is None or elf.function_at(program.functions, address) not in _OWN:
            counts[address] = Counts(*map(int, values))
    return counts


def by_function(program: Program, counts: ByAddress) -> dict[str, Counts]:
    """Counts by function as linked, largest first."""
    names = {
        address: (elf.function_at(program.functions, address) if address is not None else None)
        for address in counts
    }
    return _grouped(counts, {address: name or ELSEWHERE for address, name in names.items()})


def by_kernel(program: Program, counts: ByAddress) -> dict[str, Counts]:
    """Counts by function as the source has it, largest first.

    Code that was inlined into a function counts under the function that it calls in the source
    (and not under what that one calls), as "outer > inlined".
    """
    addresses = [address for address in counts if address is not None]
    tool = program.core.addr2line
    # -a prints each address before its functions, the innermost first; -s and -f: names.
    command = [tool, "-a", "-i", "-f", "-e", str(program.path)]
    text = tools.run(command, text="".join(f"{address:#x}\n" for address in addresses))
    chains: list[list[str]] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("0x"):
            chains.append([])
        else:
            chains[-1].append(line)
            next(lines)  # file and line
    names: dict[int | None, str] = {None: ELSEWHERE}
    for address, chain in zip(addresses, chains, strict=True):
        function = elf.function_at(program.functions, address) or ELSEWHERE
        names[address] = f"{function} > {chain[-2]}" if len(chain) > 1 else function
    return _grouped(counts, names)


def _grouped(counts: ByAddress, names: Mapping[int | None, str]) -> dict[str, Counts]:
    grouped: dict[str, Counts] = {}
    for address, count in counts.items():
        grouped[names[address]] = grouped.get(names[address], Counts()) + count
    return dict(sorted(grouped.items(), key=lambda item: -item[1].instructions))


def _not_counted(program: Program) -> ExecutionError:
    return ExecutionError(
        "nothing was counted: the program did not call scanlet_count_begin and scanlet_count_end",
        where=program.core.name,
    )
