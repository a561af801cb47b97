"""Espressif chips: complete ESP-IDF projects."""

from __future__ import annotations

from scanlet.targets.base import Target

KIB = 1024

TARGETS = (
    Target(
        name="esp32s3",
        description="ESP32-S3, two Xtensa LX7 cores at 240 MHz, float unit, 512 KB SRAM",
        architecture="xtensa",
        kernels="xtensa_s3",
        ram_bytes=320 * KIB,  # of 512 KB SRAM: what ESP-IDF leaves for one static array
        flash_bytes=3 * KIB * KIB,
        has_fpu=True,
        stack_bytes=1408,
        core="xtensa-fpu",
        project="esp-idf",
        idf_target="esp32s3",
        cpu_mhz=240,
    ),
    Target(
        name="esp32",
        description="ESP32, two Xtensa LX6 cores at 240 MHz, float unit, 520 KB SRAM",
        architecture="xtensa",
        kernels="xtensa",
        ram_bytes=160 * KIB,  # the largest static DRAM segment
        flash_bytes=3 * KIB * KIB,
        has_fpu=True,
        stack_bytes=1408,
        core="xtensa-fpu",
        project="esp-idf",
        idf_target="esp32",
        cpu_mhz=240,
    ),
    Target(
        name="esp32c3",
        description="ESP32-C3, RV32IMC at 160 MHz, no float unit, 400 KB SRAM",
        architecture="riscv",
        kernels="portable",
        ram_bytes=300 * KIB,
        flash_bytes=3 * KIB * KIB,
        has_fpu=False,
        stack_bytes=1024,
        core="rv32imc",
        project="esp-idf",
        idf_target="esp32c3",
        cpu_mhz=160,
    ),
)
