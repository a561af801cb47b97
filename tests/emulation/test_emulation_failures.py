"""What goes wrong on a core, or before, is reported with all that helps to find it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from emulation_programs import by_architecture, program

from scanlet.errors import ExecutionError, InputError, MissingToolError, TargetError
from scanlet.execution.emulation import (
    CORES,
    check_tools,
    describe_tools,
    find,
    measure,
    run_program,
)
from scanlet.execution.programs import ORDINARY, PROGRAMS, packages_of


def failure(core: str, broken: str, *, timeout_s: float = 60.0) -> str:
    """The error of a program that prints a line and then calls `broken`, a function's body."""
    source = program(
        'scanlet_print("on the way\\n");\n broken();',
        before=f"__attribute__((noinline)) static void broken(void) {{ {broken} }}",
    )
    with pytest.raises(ExecutionError) as caught:
        run_program(core, source, timeout_s=timeout_s)
    message = str(caught.value)
    assert message.startswith(f"{core}: ")
    assert "on the way" in message
    return message


@pytest.mark.parametrize("access", ["(void)*p;", "*p = 1;"])
def test_a_null_pointer_faults(core: str, access: str) -> None:
    # The compiler must not see that the pointer is null: it would drop the access.
    message = failure(
        core,
        'volatile int* p = 0; __asm__ volatile("" : "+r"(p)); '
        f'{access} __asm__ volatile("" ::: "memory");',
    )
    assert "faulted" in message
    assert "(in broken)" in message


def test_an_undefined_instruction_faults(core: str) -> None:
    code = by_architecture(core, arm="udf #1", xtensa=".byte 0, 0, 0", riscv=".word 0")
    message = failure(core, f'__asm__ volatile("{code}");')
    cause = by_architecture(
        core, arm="cfsr 0x00010000", xtensa="exccause 0x00000000", riscv="mcause 0x00000002"
    )
    assert cause in message
    assert "(in broken)" in message


def test_an_address_without_memory_faults(core: str) -> None:
    # Each board has other holes.
    arm = "0x08765430" if core == "cortex-m55" else "0x38765430"
    address = by_architecture(core, arm=arm, xtensa="0x98765430", riscv="0x98765430")
    message = failure(
        core,
        f"volatile int* p = (volatile int*){address}u;"
        '__asm__ volatile("" : "+r"(p)); *p = 1; __asm__ volatile("" ::: "memory");',
    )
    assert address in message
    assert "(in broken)" in message


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7", "cortex-m55", "xtensa-fpu"])
def test_an_unaligned_float_access_faults(core: str) -> None:
    load = by_architecture(
        core,
        arm='float x; __asm__ volatile("vldr %0, [%1]" : "=t"(x) : "r"(p));',
        xtensa="(void)*(const volatile float*)p;",
        riscv="",
    )
    message = failure(core, f"const unsigned char* p = scanlet_input + 1; {load}")
    cause = by_architecture(core, arm="cfsr 0x01000000", xtensa="exccause 0x00000009", riscv="")
    assert cause in message


def test_a_stack_that_overflows_is_called_so(core: str) -> None:
    source = program(
        "dig(scanlet_input_size() + 1000000u);",
        before="""
__attribute__((noinline)) static uint32_t dig(uint32_t depth) {
  volatile uint32_t frame[64];
  frame[depth % 64u] = depth;
  return depth == 0u ? 0u : dig(depth - 1u) + frame[depth % 64u];
}
""",
    )
    with pytest.raises(ExecutionError, match="stack overflow"):
        run_program(core, source)


def test_an_endless_loop_ends_at_the_timeout(core: str) -> None:
    message = failure(core, 'for (;;) __asm__ volatile("");', timeout_s=2.0)
    assert "did not finish within 2 s" in message


def test_a_result_that_is_not_zero_is_a_failure() -> None:
    with pytest.raises(ExecutionError, match=r"returned 7\n.*half"):
        run_program("rv32imc", program('scanlet_print("half"); return 7;'))
    with pytest.raises(ExecutionError, match="returned -3"):
        run_program("rv32imc", program("return -3;"))


def test_an_output_of_another_size_is_a_failure() -> None:
    source = program('scanlet_emit("abc", 3u);')
    assert run_program("cortex-m4", source, output_bytes=3).output == b"abc"
    with pytest.raises(ExecutionError, match="emitted 3 bytes, 4 were expected"):
        run_program("cortex-m4", source, output_bytes=4)


def test_a_compile_error_shows_what_the_compiler_said(core: str) -> None:
    with pytest.raises(ExecutionError, match=r"(?s)main\.c for .*nonsense") as caught:
        run_program(core, program("return nonsense;"))
    assert core in str(caught.value)


def test_a_link_error_shows_what_the_linker_said(core: str) -> None:
    source = program("return missing_function();", before="int missing_function(void);")
    with pytest.raises(ExecutionError, match=r"(?s)linking for .*missing_function"):
        run_program(core, source)


def test_too_large_a_program_is_refused(core: str) -> None:
    source = program("scanlet_emit(&big[0], 1u);", before="char big[64 << 20];")
    with pytest.raises(ExecutionError, match="linking for"):
        run_program(core, source)


def test_source_files_stay_in_their_folder() -> None:
    with pytest.raises(InputError, match=r"\.\./main\.c"):
        run_program("cortex-m4", {"../main.c": ""})


def test_an_unknown_core_is_refused() -> None:
    with pytest.raises(TargetError, match=r"(?s)cortex-m3.*cortex-m4"):
        run_program("cortex-m3", program(""))


def test_missing_tools_are_named_with_their_packages(
    core: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        run_program(core, program(""))
    message = str(caught.value)
    assert core in message
    for tool in find(core).tools:
        assert tool in message
        assert all(package in message for package in PROGRAMS[tool].packages)
    with pytest.raises(MissingToolError):
        check_tools(core)
    assert set(describe_tools(core).values()) == {None}


def test_a_missing_emulator_alone_is_named(
    core: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    *compilers, emulator = find(core).tools
    for tool in [*compilers, "sed"]:
        path = shutil.which(tool)
        assert path is not None
        (tmp_path / tool).symlink_to(path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        run_program(core, program(""))
    assert emulator in str(caught.value)
    assert f"apt-get install {PROGRAMS[emulator].packages[0]}" in str(caught.value)
    assert not any(f"{tool}," in str(caught.value) for tool in compilers)


def test_counting_without_a_host_compiler_is_refused(
    core: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for tool in [*find(core).tools, "sed"]:
        path = shutil.which(tool)
        assert path is not None
        (tmp_path / tool).symlink_to(path)
    monkeypatch.setenv("PATH", str(tmp_path))
    source = program("scanlet_count_begin(); scanlet_count_end();")
    with pytest.raises(MissingToolError, match="gcc"):
        measure(core, source)
    with pytest.raises(MissingToolError, match="gcc"):
        check_tools(core, count=True)


def test_system_packages_are_those_that_cores_reports_and_projects_need() -> None:
    text = Path(__file__).resolve().parents[2].joinpath("system-packages.txt").read_text("utf-8")
    listed = {line.split("#")[0].strip() for line in text.splitlines()} - {""}
    needed = set(packages_of(PROGRAMS)) - ORDINARY
    # Fuzzing needs clang's own libraries, which no program stands for.
    assert listed == needed | {"libclang-rt-22-dev"}
    for core in CORES.values():
        assert set(core.tools) <= set(PROGRAMS)


def test_installed_tools_tell_their_versions(core: str) -> None:
    check_tools(core, count=True)
    versions = describe_tools(core)
    assert set(versions) == set(find(core).tools)
    assert all(text and any(c.isdigit() for c in text) for text in versions.values())
