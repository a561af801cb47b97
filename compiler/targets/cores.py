"""Bare cores, as the emulator runs them: C sources for firmware of one's own.

Memory sizes are those of a typical microcontroller with the core; the emulated machine has more.
"""

from __future__ import annotations

from scanlet.targets.base import Target

KIB = 1024

TARGETS = (
    Target(
        name="cortex-m4",
        description="Cortex-M4F, single-precision float unit (256 KB RAM, 1 MB flash)",
        architecture="arm",
        kernels="arm_dsp",
        ram_bytes=256 * KIB,
        flash_bytes=KIB * KIB,
        has_fpu=True,
        stack_bytes=1024,
        core="cortex-m4",
    ),
    Target(
        name="cortex-m7",
        description="Cortex-M7, float unit (512 KB RAM, 2 MB flash)",
        architecture="arm",
        kernels="arm_dsp",
        ram_bytes=512 * KIB,
        flash_bytes=2 * KIB * KIB,
        has_fpu=True,
        stack_bytes=1024,
        core="cortex-m7",
    ),
    Target(
        name="cortex-m55",
        description="Cortex-M55, 128-bit vectors (512 KB RAM, 2 MB flash)",
        architecture="arm",
        kernels="arm_mve",
        ram_bytes=512 * KIB,
        flash_bytes=2 * KIB * KIB,
        has_fpu=True,
        stack_bytes=1792,
        core="cortex-m55",
    ),
    Target(
        name="xtensa-fpu",
        description="Xtensa with a float unit, as in ESP32 and ESP32-S3 (320 KB RAM, 3 MB flash)",
        architecture="xtensa",
        kernels="xtensa",
        ram_bytes=320 * KIB,
        flash_bytes=3 * KIB * KIB,
        has_fpu=True,
        stack_bytes=1408,
        core="xtensa-fpu",
    ),
    Target(
        name="rv32imc",
        description="RV32IMC, no float unit (300 KB RAM, 3 MB flash)",
        architecture="riscv",
        kernels="portable",
        ram_bytes=300 * KIB,
        flash_bytes=3 * KIB * KIB,
        has_fpu=False,
        stack_bytes=1024,
        core="rv32imc",
    ),
)
