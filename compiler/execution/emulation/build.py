"""Compile and link a program for an emulated core."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scanlet.errors import InputError
from scanlet.execution.emulation import elf, tools
from scanlet.execution.emulation.cache import cached, key_of
from scanlet.execution.emulation.cores.base import START_FILE_OPTIONS, Core
from scanlet.execution.scratch import scratch_directory
from scanlet.progress import step
from scanlet.resources import resource_dir

STACK_BYTES = 128 * 1024

_COMPILED = {".c", ".s", ".S"}


@dataclass(frozen=True)
class Program:
    """A linked program: the file, and what it says about itself."""

    core: Core
    path: Path
    image: elf.Image
    functions: tuple[elf.Function, ...]


@dataclass(frozen=True)
class _Unit:
    """One source to compile; `context` is everything else that its object depends on."""

    source: Path
    options: tuple[str, ...]
    context: tuple[str, ...]
    suffix: str


def bare_metal_dir() -> Path:
    """The folder of start files and linker scripts."""
    return resource_dir("tflm_ops") / "bare_metal"


def build(
    core: Core,
    sources: Mapping[str, str],
    *,
    defines: Sequence[str] = (),
    fused: bool = True,
    input_size: int = 0,
) -> Program:
    """Build a program from texts by file name; `.c`, `.s` and `.S` files are compiled.

    `fused` sets SCANLET_FUSED_MADD, to 1 only where the core has such an instruction. Raises
    MissingToolError, and ExecutionError with the compiler's or the linker's output.
    """
    tools.check(core.name, core.tools)
    folder = bare_metal_dir()
    includes = [f"-I{folder}", *(f"-I{folder / name}" for name in core.include_dirs)]
    madd = int(fused and core.has_fused_multiply_add)
    own = [f"-DSCANLET_FUSED_MADD={madd}", *(f"-D{define}" for define in defines)]
    with scratch_directory("scanlet-emulation-") as root:
        units = [
            *_start_files(core, includes),
            *_program_units(root, sources, (*own, f"-I{root}", *includes), own),
        ]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            compiled = pool.map(lambda unit: _compile(core, unit), units)
            objects = []
            for path in compiled:
                objects.append(path)
                step(f"building for {core.name}", len(objects), len(units))
    path = _link(core, objects, input_size)
    image = elf.read(path, thumb=core.thumb)
    return Program(core, path, image, tuple(elf.functions(image)))


def _start_files(core: Core, includes: Sequence[str]) -> list[_Unit]:
    folder = bare_metal_dir()
    context = tuple(path.read_text("utf-8") for path in sorted(folder.glob("*.h")))
    units = [
        _Unit(folder / name, (*START_FILE_OPTIONS, *includes), context, ".harness.o")
        for name in core.start_files
    ]
    libraries = [
        _Unit(folder / name, (*START_FILE_OPTIONS, *includes), (), ".o")
        for name in core.library_sources
    ]
    return units + libraries


def _program_units(
    root: Path, sources: Mapping[str, str], options: Sequence[str], own: Sequence[str]
) -> list[_Unit]:
    """Write the sources under `root`; headers count in the key of every object."""
    for name, text in sources.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(f"source file {name!r} lies outside the program's folder")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    folder = bare_metal_dir()
    headers = [
        part
        for name, text in sorted(sources.items())
        if PurePosixPath(name).suffix not in _COMPILED
        for part in (name, text)
    ]
    headers += [path.read_text("utf-8") for path in sorted(folder.rglob("*.h"))]
    return [
        _Unit(root / name, tuple(options), (name, *own, *headers), ".o")
        for name in sorted(sources)
        if PurePosixPath(name).suffix in _COMPILED
    ]


def _compile(core: Core, unit: _Unit) -> Path:
    # Paths stay out of the key: objects do not depend on them.
    plain = [option for option in unit.options if not option.startswith("-I")]
    commands = core.compile_commands(Path("source" + unit.source.suffix), Path("object"), plain)
    key = key_of(
        [
            *(core.name, unit.suffix, unit.source.read_text("utf-8")),
            *unit.context,
            *(word for command in commands for word in command),
            *(tools.version(command[0]) for command in commands),
        ]
    )

    def compile_to(obj: Path) -> None:
        for command in core.compile_commands(unit.source, obj, unit.options):
            tools.run(command, where=f"{unit.source.name} for {core.name}")

    return cached(key, unit.suffix, compile_to)


def _link(core: Core, objects: Sequence[Path], input_size: int) -> Path:
    folder = bare_metal_dir()
    options = [
        *(f"-L{folder}", f"-T{folder / core.linker_script}", "--gc-sections"),
        f"--defsym=scanlet_stack_size={STACK_BYTES}",
        f"--defsym=scanlet_input_bytes={input_size}",
    ]
    scripts = [path.read_text("utf-8") for path in sorted(folder.glob("*.ld"))]
    command = core.link_command([Path(obj.name) for obj in objects], Path("program"), options[2:])
    version = tools.version(command[0])
    key = key_of([core.name, version, *command, *scripts])

    def link_to(path: Path) -> None:
        tools.run(core.link_command(objects, path, options), where=f"linking for {core.name}")

    return cached(key, ".elf", link_to)
