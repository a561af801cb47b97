"""Instructions, memory accesses, stack and sizes are exact."""

from __future__ import annotations

import pytest
from emulation_programs import ARM, by_architecture, program

from scanlet.errors import ExecutionError
from scanlet.execution.emulation import Counts, measure, run_program

ROUNDS = 12345

# spin(n): 2 n + 1 instructions. touch(p, n): 5 n + 1, n loads and n stores of 4 bytes.
ASSEMBLY_ARM = """
  .syntax unified
  .thumb
  .global spin
  .type spin, %function
  .thumb_func
spin:
  subs r0, r0, #1
  bne spin
  bx lr
  .size spin, . - spin
  .global touch
  .type touch, %function
  .thumb_func
touch:
  ldr r2, [r0]
  adds r2, r2, #1
  str r2, [r0]
  subs r1, r1, #1
  bne touch
  bx lr
  .size touch, . - touch
"""
ASSEMBLY_XTENSA = """
  .global spin
  .type spin, @function
spin:
  addi a2, a2, -1
  bnez a2, spin
  ret
  .size spin, . - spin
  .global touch
  .type touch, @function
touch:
  l32i a4, a2, 0
  addi a4, a4, 1
  s32i a4, a2, 0
  addi a3, a3, -1
  bnez a3, touch
  ret
  .size touch, . - touch
"""
ASSEMBLY_RISCV = """
  .global spin
  .type spin, @function
spin:
  addi a0, a0, -1
  bnez a0, spin
  ret
  .size spin, . - spin
  .global touch
  .type touch, @function
touch:
  lw a2, 0(a0)
  addi a2, a2, 1
  sw a2, 0(a0)
  addi a1, a1, -1
  bnez a1, touch
  ret
  .size touch, . - touch
"""


def counted(core: str, body: str, before: str = "") -> dict[str, str]:
    """A program that counts `body`; it may call spin(n) and touch(p, n), written in assembly."""
    assembly = by_architecture(core, arm=ASSEMBLY_ARM, xtensa=ASSEMBLY_XTENSA, riscv=ASSEMBLY_RISCV)
    declarations = f"void spin(int n);\nvoid touch(int* p, int n);\n{before}"
    return {**program(body, before=declarations), "loops.s": assembly}


def test_counts_are_exact(core: str) -> None:
    body = f"""
  int value = 5;
  spin(777);
  scanlet_count_begin();
  spin({ROUNDS});
  touch(&value, 321);
  scanlet_count_end();
  touch(&value, 55);
  scanlet_emit(&value, 4u);
"""
    result = measure(core, counted(core, body), output_bytes=4)
    assert int.from_bytes(result.output, "little") == 5 + 321 + 55
    assert result.per_function["spin"] == Counts(instructions=2 * ROUNDS + 1)
    assert result.per_function["touch"] == Counts(5 * 321 + 1, 321, 321, 4 * 321, 4 * 321)
    assert set(result.per_function) == {"spin", "touch", "scanlet_main"}
    assert result.per_function["scanlet_main"].instructions < 30
    for field in ("instructions", "loads", "stores", "loaded_bytes", "stored_bytes"):
        total = sum(getattr(counts, field) for counts in result.per_function.values())
        assert getattr(result, field) == total


INLINED = """
static inline __attribute__((always_inline)) int decrement(int n) { return n - 1; }
static inline __attribute__((always_inline)) void repeat(int n) {
  do {
    n = decrement(n);
    __asm__ volatile("nop\\n nop\\n nop" : "+r"(n));
  } while (n != 0);
}
void outer(int n);
__attribute__((noinline)) void outer(int n) {
  repeat(n);
  __asm__ volatile("nop");
  repeat(n);
}
"""


def test_inlined_functions_are_told_apart_by_what_is_called_directly(core: str) -> None:
    body = "scanlet_count_begin(); outer(500); scanlet_count_end();"
    result = measure(core, program(body, before=INLINED))
    assert set(result.per_function) == {"outer", "scanlet_main"}
    assert set(result.per_kernel) == {"outer", "outer > repeat", "scanlet_main"}
    # Twice 500 times three nops and a few instructions around them.
    assert 2 * 500 * 4 <= result.per_kernel["outer > repeat"].instructions <= 2 * 500 * 6 + 20
    assert result.per_kernel["outer"].instructions < 20
    outer = result.per_kernel["outer"] + result.per_kernel["outer > repeat"]
    assert outer == result.per_function["outer"]
    assert result.per_kernel["scanlet_main"] == result.per_function["scanlet_main"]


def test_counting_does_not_change_from_run_to_run() -> None:
    body = "scanlet_count_begin(); spin(1000); scanlet_count_end();"
    results = [measure("cortex-m7", counted("cortex-m7", body)) for _ in range(2)]
    assert results[0] == results[1]


def test_counted_regions_add_up(core: str) -> None:
    body = """
  for (int i = 1; i <= 3; ++i) {
    scanlet_count_begin();
    spin(100 * i);
    scanlet_count_end();
    spin(1000);
  }
"""
    result = measure(core, counted(core, body))
    assert result.per_function["spin"].instructions == 2 * 600 + 3


@pytest.mark.parametrize("core", ARM)
def test_a_load_of_several_registers_counts_once_and_moves_all_bytes(core: str) -> None:
    body = "scanlet_count_begin(); several((int*)scanlet_input); scanlet_count_end();"
    source = program(body, before="void several(int* p);")
    source["several.s"] = """
  .syntax unified
  .thumb
  .global several
  .type several, %function
  .thumb_func
several:
  ldmia r0!, {r1, r2, r3, r12}
  vldmia r0!, {s0-s7}
  stmia r0!, {r1, r2, r3}
  bx lr
  .size several, . - several
"""
    result = measure(core, source, input_bytes=bytes(64))
    assert result.per_function["several"] == Counts(4, 2, 1, 16 + 32, 12)


def test_counting_a_program_without_marks_is_refused() -> None:
    with pytest.raises(ExecutionError, match="scanlet_count_begin"):
        measure("cortex-m4", program(""))


FRAMES = """
__attribute__((noinline)) static void use_stack(void) {
  volatile unsigned char frame[FRAME];
  for (int i = 0; i < FRAME; ++i) frame[i] = 1;
}
"""


def stack_of(core: str, frame: int, body: str) -> int:
    source = program(body, before=FRAMES)
    return run_program(core, source, defines=[f"FRAME={frame}"]).stack_bytes


def test_the_stack_of_the_counted_region_is_measured(core: str) -> None:
    body = "scanlet_count_begin(); use_stack(); scanlet_count_end();"
    small, large = (stack_of(core, frame, body) for frame in (512, 1536))
    assert 512 <= small <= 512 + 64
    assert large - small == 1536 - 512


def test_the_stack_outside_the_counted_region_is_left_out(core: str) -> None:
    nothing = stack_of(core, 4096, "use_stack(); scanlet_count_begin(); scanlet_count_end();")
    assert nothing <= 64
    whole = stack_of(core, 4096, "use_stack();")
    assert 4096 <= whole <= 4096 + 256


def test_sizes_are_those_of_the_programs_own_sections(core: str) -> None:
    source = program(
        """
  scanlet_emit(constants, sizeof constants);
  scanlet_emit(initialised, sizeof initialised);
  scanlet_emit(zeroed, sizeof zeroed);
""",
        before="""
const uint32_t constants[250] = {1, 2, 3};
uint32_t initialised[75] = {4, 5, 6};
uint32_t zeroed[1250];
""",
    )
    result = run_program(core, source, output_bytes=4 * (250 + 75 + 1250))
    sizes = result.sizes
    # gcc for a core without fast addressing may keep nothing else there.
    assert sizes.rodata_bytes == 1000
    assert sizes.data_bytes == 300
    assert sizes.bss_bytes == 5000
    assert set(sizes.functions) == {"scanlet_main"}
    assert sizes.functions["scanlet_main"] <= sizes.text_bytes <= 200
    values = memoryview(result.output).cast("I")
    assert list(values[:4]) + list(values[250:254]) == [1, 2, 3, 0, 4, 5, 6, 0]
    assert not any(values[253 + 72 :])
