"""What the compiler needs to know about a target: core features, memories, project kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """One memory of a chip: the linker's name of it, address and size in bytes, what it is for."""

    name: str
    origin: int
    nbytes: int
    use: str


@dataclass(frozen=True)
class Target:
    """A board or a bare core. Memory sizes in bytes; they bound what a plan may use.

    `state` is how integer mixers hold their recurrent state here, "int16" or "float32", unless the
    caller says: what costs fewer instructions, and of what costs about the same the smaller.
    `stack_bytes` is what one inference needs of the stack at most: measured on the emulated core
    over kinds of layers and precisions, with some room (`Compiled.measure` tells that of one
    model); for a core that nobody measured, more than any of these needs.
    `core` names the emulated core that stands for this target in `run` and `measure`.
    `project` is the kind of project written: "esp-idf"; "stm32", firmware for a Cortex-M7 with
    CMake; or "library", the C sources with a CMake project that tests them anywhere.
    `memories` is the chip's map, for projects that bring a linker script; `model_memories` names
    those that may hold the model's static memory, the fastest first.
    """

    name: str
    description: str
    architecture: str  # "xtensa" | "arm" | "riscv" | "any"
    kernels: str  # kernel set in tflm_ops/: "portable", "arm_dsp", "arm_mve", "xtensa", "xtensa_s3"
    ram_bytes: int
    flash_bytes: int
    has_fpu: bool
    state: str = "int16"
    stack_bytes: int = 2048
    core: str | None = None
    project: str = "library"
    idf_target: str | None = None
    cpu_mhz: int | None = None
    memories: tuple[Memory, ...] = ()
    model_memories: tuple[str, ...] = ()
