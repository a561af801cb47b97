"""STMicroelectronics chips: C sources for a project of one's own."""

from __future__ import annotations

from scanlet.targets.base import Target

KIB = 1024

TARGETS = (
    Target(
        name="stm32h7",
        description="STM32H743, Cortex-M7 at 480 MHz, float unit, 1 MB RAM, 2 MB flash",
        architecture="arm",
        kernels="arm_dsp",
        ram_bytes=512 * KIB,  # the largest single memory, AXI SRAM
        flash_bytes=2 * KIB * KIB,
        has_fpu=True,
        core="cortex-m7",
        cpu_mhz=480,
    ),
)
