"""The firmware for the STM32H743 itself: what lies where, how large it is, what it calls."""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path

import pytest
from cmake_projects import (
    FEATURES,
    cmake_build,
    command,
    compile_model,
    image_of,
    run_emulated,
    verdicts,
)

from scanlet.errors import TargetError
from scanlet.planning.placement import APPLICATION_BYTES, STACK_BYTES, place_model
from scanlet.targets import Memory, find

BOARD = "stm32h743"
MEMORIES = {memory.name: memory for memory in find("stm32h7").memories}
#: Of the C library, and what the compiler calls for arithmetic in double.
FORBIDDEN = re.compile(
    r"_?(malloc|calloc|realloc|free|sbrk|printf|exit)(_r)?|(exp|log|pow|sqrt|tanh)f?|"
    r"__aeabi_(d|f2d|i2d|ui2d|l2d).*"
)
CASES = {"float32": ("float32", "sequence"), "int8-stream": ("int8", "stream")}


class Firmware:
    def __init__(self, folder: Path, precision: str, mode: str) -> None:
        self.project = compile_model("stm32h7", precision, mode).save(folder)
        self.build = cmake_build(self.project, BOARD)
        self.image = image_of(self.build)
        self.header = (self.project / "library" / "gestures_model.h").read_text()

    def defined(self, name: str) -> int:
        found = re.search(rf"#define GESTURES_{name} (\d+)", self.header)
        assert found is not None
        return int(found[1])


@pytest.fixture(scope="module", params=CASES)
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return Firmware(tmp_path_factory.mktemp("memory") / "p", *CASES[request.param])


def holds(memory: Memory, address: int, size: int) -> bool:
    return memory.origin <= address and address + size <= memory.origin + memory.nbytes


def test_the_chip_finds_stack_and_reset_at_the_start_of_flash(firmware):
    vectors = firmware.image.sections[".isr_vector"]
    assert vectors.address == MEMORIES["FLASH"].origin == 0x08000000
    assert vectors.size == 4 * (16 + 150)
    content = (firmware.build / "gestures.bin").read_bytes()
    stack, reset = struct.unpack_from("<2I", content)
    assert stack == firmware.image.address("_estack")
    assert stack % 8 == 0
    assert reset == firmware.image.address("Reset_Handler") | 1
    handlers = struct.unpack_from(f"<{16 + 150}I", content)
    default = firmware.image.address("Default_Handler") | 1
    assert set(handlers[2:]) == {0, default}
    assert handlers[16:] == (default,) * 150


def test_weights_stay_in_flash_and_the_static_memory_lies_in_dtcm(firmware):
    symbols = {symbol.name: symbol for symbol in firmware.image.symbols}
    arena = symbols["arena"]
    assert holds(MEMORIES["DTCM"], arena.address, arena.size)
    assert arena.address % 16 == 0
    assert arena.size == firmware.defined("ARENA_BYTES")
    state = firmware.defined("STATE_BYTES")
    if state:
        assert symbols["state"].size == state
        assert holds(MEMORIES["DTCM"], symbols["state"].address, state)
    weights = [s for s in firmware.image.symbols if s.name.startswith("gestures_t_")]
    assert len(weights) >= 5
    for weight in weights:
        assert weight.section == ".weights"
        assert weight.address % 16 == 0
        assert holds(MEMORIES["FLASH"], weight.address, weight.size)
    section = firmware.image.sections[".weights"]
    stated = int(re.findall(r"weights: ([\d,]+) bytes", firmware.header)[0].replace(",", ""))
    named = {s.name: s.size for s in firmware.image.symbols if s.section == ".weights"}
    assert sum(named.values()) == stated <= section.size <= stated + 16 * len(named)
    # Nothing of the model is copied to RAM at the start.
    assert firmware.image.section_size(".data") <= 64


def test_every_section_lies_in_a_memory_and_agrees_with_the_map(firmware):
    text = (firmware.build / "gestures.map").read_text()
    loaded = [".isr_vector", ".text", ".weights", ".rodata", ".stack", ".model", ".data", ".bss"]
    for name in loaded:
        section = firmware.image.sections[name]
        home = "FLASH" if name in loaded[:4] else "DTCM"
        assert holds(MEMORIES[home], section.address, section.size), name
        (address, size) = re.findall(rf"(?m)^\{name}\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)", text)[0]
        assert (int(address, 16), int(size, 16)) == (section.address, section.size)
    static = firmware.defined("ARENA_BYTES") + firmware.defined("STATE_BYTES")
    assert static <= firmware.image.section_size(".model") <= static + 32
    assert firmware.image.section_size(".stack") == STACK_BYTES
    assert firmware.image.sections[".stack"].address == MEMORIES["DTCM"].origin


def test_there_is_no_heap_no_double_and_nothing_unresolved(firmware):
    program = firmware.build / "gestures.elf"
    assert command("arm-none-eabi-nm", "--undefined-only", program) == ""
    names = {symbol.name for symbol in firmware.image.symbols}
    assert not [name for name in names if FORBIDDEN.fullmatch(name)]
    listing = command("arm-none-eabi-objdump", "-d", program)
    assert "vfma.f32" in listing or "smlad" in listing
    assert not re.findall(r"\bv(?:add|sub|mul|div|fma|fms|mla|cvt|sqrt|cmp)\w*\.\w*f64\S*", listing)


def test_the_tflm_component_and_the_flatbuffer_are_there_too(firmware):
    operator = firmware.project / "components" / "selective_ssm"
    assert (operator / "selective_ssm_gestures_registration.cc").is_file()
    assert (firmware.project / "model" / "model_data.cc").is_file()


def test_a_model_too_large_for_dtcm_goes_to_axi_sram_and_runs(tmp_path):
    """Two mixers: what the first gives for all steps lies in the arena, beside a long input."""
    project = compile_model("stm32h7", length=3000, layers=2).save(tmp_path / "p")
    build = cmake_build(project, BOARD)
    (arena,) = [symbol for symbol in image_of(build).symbols if symbol.name == "arena"]
    assert holds(MEMORIES["AXISRAM"], arena.address, arena.size)
    assert arena.size > 3000 * FEATURES * 4
    stack = image_of(build).sections[".stack"]
    assert holds(MEMORIES["DTCM"], stack.address, stack.size)
    status, lines = run_emulated(cmake_build(project, "mps2-an500"))
    assert verdicts(lines) == ["PASS"] * 3  # two samples fit the flash set aside for them
    assert status == 0
    assert "1 more are in model/golden/" in (project / "self_test" / "golden.h").read_text()


def test_placement_takes_the_fastest_memory_that_has_room():
    target = find("stm32h7")
    room = MEMORIES["DTCM"].nbytes - STACK_BYTES - APPLICATION_BYTES - 1000
    assert place_model(target, room, 1000).name == "DTCM"
    assert place_model(target, room + 1, 1000).name == "AXISRAM"
    assert place_model(target, MEMORIES["AXISRAM"].nbytes, 1000).name == "AXISRAM"
    with pytest.raises(TargetError, match=r"524,289 bytes fits no memory: DTCM has 113,688"):
        place_model(target, MEMORIES["AXISRAM"].nbytes + 1, 1000)


def test_targets_tell_the_memories():
    listed = json.loads(command(sys.executable, "-m", "scanlet.cli", "targets", "--json"))[
        "stm32h7"
    ]
    assert [memory["name"] for memory in listed["memories"]] == list(MEMORIES)
    shown = command(sys.executable, "-m", "scanlet.cli", "targets")
    assert "DTCM 128 KiB" in shown
    assert "AXISRAM 512 KiB" in shown
