"""STMicroelectronics chips: complete CMake projects for the GNU toolchain."""

from __future__ import annotations

from scanlet.targets.base import Memory, Target

KIB = 1024

#: STM32H743 and its relatives (reference manual RM0433, section 2.3.2). Reset leaves the clocks of
#: the memories in domain D2 off: SystemInit is to turn them on before they are used.
_STM32H743_MEMORIES = (
    Memory("FLASH", 0x08000000, 2048 * KIB, "code, constants, weights"),
    Memory("ITCM", 0x00000000, 64 * KIB, "free: code without wait states"),
    Memory("DTCM", 0x20000000, 128 * KIB, "stack, variables; the core reads it in one cycle"),
    Memory("AXISRAM", 0x24000000, 512 * KIB, "large buffers, through the data cache"),
    Memory("SRAM_D2", 0x30000000, 288 * KIB, "free: buffers of DMA; off after reset"),
    Memory("SRAM_D3", 0x38000000, 64 * KIB, "free: stays on in low-power modes"),
)

TARGETS = (
    Target(
        name="stm32h7",
        description="STM32H743, Cortex-M7 at 480 MHz, float unit, 1 MB RAM, 2 MB flash",
        architecture="arm",
        kernels="arm_dsp",
        ram_bytes=512 * KIB,  # the largest single memory, AXI SRAM
        flash_bytes=2 * KIB * KIB,
        has_fpu=True,
        stack_bytes=1024,
        core="cortex-m7",
        project="stm32",
        cpu_mhz=480,
        memories=_STM32H743_MEMORIES,
        model_memories=("DTCM", "AXISRAM"),
    ),
)
