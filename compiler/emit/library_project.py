"""Render what surrounds the generic library: self-test, build files, firmware for a Cortex-M7.

The library and the self-test belong to the model and are replaced with it; main/, boards/, startup/
and the build files at the top are a person's from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scanlet.emit.device_description import serial_sources
from scanlet.emit.templates import render
from scanlet.planning.placement import APPLICATION_BYTES, STACK_BYTES, place_model
from scanlet.resources import resource_dir
from scanlet.targets import Memory, Target

if TYPE_CHECKING:
    from scanlet.emit.project import ProjectSpec

LIBRARY_DIR = "library"
SELF_TEST_DIR = "self_test"
SERVER_DIR = "server"
#: Interrupts of the STM32H743 (reference manual RM0433, table of the vectors).
_INTERRUPTS = 150


@dataclass(frozen=True)
class LibrarySpec:
    """The generic library of a model.

    `sources` by path. `expected_outputs`: a tuple of arrays a golden sample, as the library should
    compute them; floats are compared within the project's golden tolerance, integers within
    `golden_steps`. `arena_bytes` and `state_bytes` are its static memory.
    """

    sources: Mapping[str, str] = field(repr=False)
    arena_bytes: int
    state_bytes: int
    expected_outputs: Sequence[Sequence[np.ndarray]] = field(repr=False)
    golden_steps: int

    @property
    def static_bytes(self) -> int:
        return self.arena_bytes + self.state_bytes


@dataclass(frozen=True)
class _Board:
    """A folder of boards/: its C file, the memories that its linker script names."""

    name: str
    title: str
    source: str
    memories: tuple[Memory, ...]


_EMULATED_ORIGINS = {"FLASH": 0x00000000, "DTCM": 0x20000000, "AXISRAM": 0x20100000}

_LIBRARY_FILES = {
    f"{LIBRARY_DIR}/CMakeLists.txt": "library/library_CMakeLists.txt.j2",
    f"{SELF_TEST_DIR}/CMakeLists.txt": "library/self_test_CMakeLists.txt.j2",
    **{
        f"{SELF_TEST_DIR}/{name}": f"library/{name}.j2"
        for name in ("golden.h", "golden.c", "self_test.h", "self_test.c")
    },
    f"{SERVER_DIR}/CMakeLists.txt": "library/server_CMakeLists.txt.j2",
    **{f"{SERVER_DIR}/{name}": f"library/{name}.j2" for name in ("serve.h", "serve.c")},
}
_HOST_FILES = {
    "CMakeLists.txt": "library/CMakeLists.txt.j2",
    "main/main.c": "library/main.c.j2",
    "main/serve.c": "library/serve_main.c.j2",
}
_STM32_FILES = {
    "CMakeLists.txt": "stm32/CMakeLists.txt.j2",
    "CMakePresets.json": "stm32/CMakePresets.json.j2",
    "main/main.c": "stm32/main.c.j2",
    "main/serve.c": "stm32/serve.c.j2",
    "startup/startup.c": "stm32/startup.c.j2",
}
_STM32_COPIES = {
    "cmake/gcc-arm-none-eabi.cmake": "templates/stm32/gcc-arm-none-eabi.cmake",
    "startup/startup.h": "templates/stm32/startup.h",
    "startup/sections.ld": "templates/stm32/sections.ld",
    "boards/mps2-an500/semihosting.h": "tflm_ops/bare_metal/semihosting.h",
}


def library_files(library: LibrarySpec, context: Mapping[str, Any]) -> dict[str, str]:
    """What belongs to the model: the library and its self-test, path -> text."""
    inner = {**context, "library_sources": _c_files(library)}
    texts = {f"{LIBRARY_DIR}/{path}": text for path, text in library.sources.items()}
    texts |= {path: render(template, inner) for path, template in _LIBRARY_FILES.items()}
    for name in ("board.h", "print.h", "print.c"):
        texts[f"{SELF_TEST_DIR}/{name}"] = _resource(f"templates/library/{name}")
    texts[f"{SERVER_DIR}/port.h"] = _resource("templates/library/port.h")
    return texts | {f"{SERVER_DIR}/{name}": text for name, text in serial_sources().items()}


def application_files(context: Mapping[str, Any]) -> dict[str, str]:
    """What becomes a person's: build files, main, and for a board everything from reset on."""
    target = context["target"]
    if target.project != "stm32":
        return {path: render(template, dict(context)) for path, template in _HOST_FILES.items()}
    texts = {path: render(template, dict(context)) for path, template in _STM32_FILES.items()}
    texts |= {path: _resource(source) for path, source in _STM32_COPIES.items()}
    for board in context["boards"]:
        folder = f"boards/{board.name}"
        texts[f"{folder}/memory.ld"] = render("stm32/memory.ld.j2", {**context, "board": board})
        texts[f"{folder}/board.c"] = _resource(f"templates/stm32/{board.source}")
    return texts


def library_context(
    library: LibrarySpec, context: Mapping[str, Any], golden: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What the templates of this room name; `golden` holds the expected outputs as C arrays."""
    spec, target = context["spec"], context["target"]
    kinds = [tensor.dtype for tensor in spec.outputs]
    width = int(np.prod(spec.outputs[0].shape, dtype=np.int64))
    found = dict(context) | {
        "has_library": True,
        "golden": golden,
        "float_outputs": "float32" in kinds,
        "integer_outputs": any(kind != "float32" for kind in kinds),
        "integer_types": sorted({context["c_types"][kind] for kind in kinds if kind != "float32"}),
        "golden_steps": library.golden_steps,
        "prints_class": bool(spec.labels) and width == len(spec.labels),
        "static_bytes": library.static_bytes,
        "stack_bytes": STACK_BYTES,
        "run_arguments": _run_arguments(len(spec.inputs), len(spec.outputs)),
    }
    if target.project == "stm32":
        buffers = sum(tensor.nbytes for tensor in (*spec.inputs, *spec.outputs))
        memory = place_model(target, library.static_bytes, buffers)
        found |= {"model_memory": memory, "interrupts": _INTERRUPTS}
        found |= _server_buffers(target, memory, library.static_bytes, spec)
        found["boards"] = _boards(target.memories)
        fastest = memory.name == target.model_memories[0]
        found["placement"] = (
            "they fit beside the stack and variables"
            if fastest
            else f"too many for {target.model_memories[0]}"
        )
    return found


def _server_buffers(
    target: Target, model: Memory, static_bytes: int, spec: ProjectSpec
) -> dict[str, bool]:
    """Where the server's inputs and outputs lie: with the variables, else with the model.

    `serves` is False where neither memory has room: the server is left out of the build then.
    """
    inputs = sum(tensor.nbytes for tensor in spec.inputs)
    copies = 1 if len(spec.inputs) == 1 else 2
    outputs = sum(tensor.nbytes for tensor in spec.outputs)
    needed = copies * inputs + outputs
    variables = next(m for m in target.memories if m.name == target.model_memories[0])
    room = variables.nbytes - STACK_BYTES - APPLICATION_BYTES - outputs  # the self-test's own
    room -= static_bytes if model.name == variables.name else 0
    beside = needed > room
    serves = not beside or (model != variables and needed + static_bytes <= model.nbytes)
    return {"serves": serves, "buffers_beside_model": beside}


def _run_arguments(inputs: int, outputs: int) -> str:
    def names(kind: str, count: int) -> list[str]:
        return [kind] if count == 1 else [f"{kind}_{i}" for i in range(count)]

    return ", ".join(names("input", inputs) + names("output", outputs))


def _boards(memories: Sequence[Memory]) -> list[_Board]:
    emulated = tuple(
        Memory(m.name, _EMULATED_ORIGINS[m.name], m.nbytes, m.use)
        for m in memories
        if m.name in _EMULATED_ORIGINS
    )
    return [
        _Board("stm32h743", "the STM32H743", "board_stm32h743.c", tuple(memories)),
        _Board(
            "mps2-an500",
            "the emulated Cortex-M7 (QEMU's mps2-an500)",
            "board_mps2_an500.c",
            emulated,
        ),
    ]


def _c_files(library: LibrarySpec) -> list[str]:
    return sorted(path for path in library.sources if path.endswith(".c"))


def _resource(path: str) -> str:
    folder, _, name = path.partition("/")
    return (resource_dir(folder) / name).read_text("utf-8")
