"""What the harness reads from a 32-bit little-endian ELF file: section sizes and symbols."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scanlet.errors import ExecutionError

_SYMBOL_TABLE = 2
_EXECUTABLE = 4
_TYPES = {0: "none", 1: "object", 2: "function"}


@dataclass(frozen=True)
class Symbol:
    """A named address. `kind` is "function", "object" or "none"; `size` may be 0 if unknown."""

    name: str
    address: int
    size: int
    kind: str
    section: str


@dataclass(frozen=True)
class Section:
    name: str
    address: int
    size: int
    executable: bool


@dataclass(frozen=True)
class Image:
    """Sections by name and all symbols, code addresses without a mode bit."""

    sections: dict[str, Section]
    symbols: tuple[Symbol, ...]

    def address(self, name: str) -> int:
        """Address of a symbol. Raises ExecutionError if there is none."""
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol.address
        raise ExecutionError(f"the program has no symbol {name!r}")

    def section_size(self, name: str) -> int:
        return self.sections[name].size if name in self.sections else 0


@dataclass(frozen=True)
class Function:
    """Code from `begin` up to (not including) `end`."""

    name: str
    begin: int
    end: int
    section: str


def read(path: Path, *, thumb: bool) -> Image:
    """Read an ELF file; `thumb`: bit 0 of function addresses is not part of the address."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x01\x01":
        raise ExecutionError(f"{path.name} is not a 32-bit little-endian ELF file")
    (table,) = struct.unpack_from("<I", data, 32)
    entry_size, count, names_index = struct.unpack_from("<HHH", data, 46)
    headers = [struct.unpack_from("<10I", data, table + i * entry_size) for i in range(count)]
    names = headers[names_index][4]
    sections = [
        Section(_string(data, names + h[0]), h[3], h[5], bool(h[2] & _EXECUTABLE)) for h in headers
    ]
    symbols: list[Symbol] = []
    for header in headers:
        if header[1] != _SYMBOL_TABLE:
            continue
        strings = headers[header[6]][4]
        for offset in range(header[4], header[4] + header[5], 16):
            name, value, size, info, _, index = struct.unpack_from("<IIIBBH", data, offset)
            kind = _TYPES.get(info & 15)
            label = _string(data, strings + name)
            if kind is None or not label:
                continue
            if thumb and kind == "function":
                value &= ~1
            section = sections[index].name if 0 < index < len(sections) else ""
            symbols.append(Symbol(label, value, size, kind, section))
    return Image({section.name: section for section in sections}, tuple(symbols))


def _string(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode("utf-8", "replace")


def functions(image: Image) -> list[Function]:
    """Functions sorted by address and disjoint.

    Of several names at one address the first in the alphabet stays; a function whose size is not
    recorded (assembly) ends where the next one begins.
    """
    code = {name for name, section in image.sections.items() if section.executable}
    starts: dict[int, Symbol] = {}
    for symbol in sorted(image.symbols, key=lambda s: (s.kind != "function", s.size == 0, s.name)):
        # Local labels ($t, .L) and other marks are not functions.
        if symbol.section in code and symbol.name[0] not in "$.":
            starts.setdefault(symbol.address, symbol)
    found: list[Function] = []
    ordered = [starts[address] for address in sorted(starts)]
    for i, symbol in enumerate(ordered):
        if symbol.kind != "function":
            continue
        section = image.sections[symbol.section]
        limit = section.address + section.size
        if i + 1 < len(ordered) and ordered[i + 1].section == symbol.section:
            limit = ordered[i + 1].address
        end = min(symbol.address + symbol.size, limit) if symbol.size else limit
        if found and found[-1].end > symbol.address:
            found[-1] = Function(found[-1].name, found[-1].begin, symbol.address, symbol.section)
        found.append(Function(symbol.name, symbol.address, end, symbol.section))
    return found


def function_at(table: Sequence[Function], address: int) -> str | None:
    """Name of the function that holds the address."""
    i = bisect_right([function.begin for function in table], address) - 1
    return table[i].name if i >= 0 and address < table[i].end else None
