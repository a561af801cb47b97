// SPDX-License-Identifier: Apache-2.0
// Runs `scanlet_main` on a bare core: memory, output files, stack depth, end of the program.
//
// Three files are written in the emulator's folder: "output" (what the program emits), "text"
// (what it prints) and "status" (lines that the Python side reads: `result N`, `stack N`,
// `fault ...`).

#include "scanlet_program.h"

#include "core.h"

#define STACK_PAINT 0xa5c3965au

extern uint32_t scanlet_bss_begin[];
extern uint32_t scanlet_bss_end[];
extern unsigned char scanlet_input_end[];

static int32_t output_file;
static int32_t text_file;
static int32_t status_file;

static uint32_t* count_top;     // stack pointer at the last scanlet_count_begin
static uint32_t counted_stack;  // bytes, the deepest counted region
static uint32_t was_counted;

static uint32_t length_of(const char* text) {
  uint32_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

static void open_files(void) {
  output_file = core_open("output", 6u);
  text_file = core_open("text", 4u);
  status_file = core_open("status", 6u);
}

static void write_text(int32_t file, const char* text) { core_write(file, text, length_of(text)); }

static void write_unsigned(int32_t file, uint32_t value) {
  char digits[10];
  uint32_t first = sizeof digits;
  do {
    digits[--first] = (char)('0' + value % 10u);
    value /= 10u;
  } while (value != 0u);
  core_write(file, digits + first, (uint32_t)sizeof digits - first);
}

static void write_hex(int32_t file, uint32_t value) {
  char digits[10] = {'0', 'x'};
  for (uint32_t i = 0; i < 8u; ++i) {
    const uint32_t nibble = (value >> (28u - 4u * i)) & 15u;
    digits[2u + i] = (char)(nibble < 10u ? '0' + nibble : 'a' + (nibble - 10u));
  }
  core_write(file, digits, sizeof digits);
}

// Volatile, so that no compiler turns the loop into a library call.
static inline uint32_t stack_depth(const uint32_t* top) {
  const volatile uint32_t* word = scanlet_stack_limit;
  while (word < top && *word == STACK_PAINT) ++word;
  return (uint32_t)((uintptr_t)top - (uintptr_t)word);
}

uint32_t scanlet_input_size(void) { return (uint32_t)(scanlet_input_end - scanlet_input); }

void scanlet_emit(const void* data, uint32_t size) { core_write(output_file, data, size); }

void scanlet_print(const char* text) { write_text(text_file, text); }

void scanlet_print_unsigned(uint32_t value) { write_unsigned(text_file, value); }

// The emulator's plugin starts and stops at these two.
__attribute__((noinline)) void scanlet_counting_starts(void) { __asm__ volatile("" ::: "memory"); }
__attribute__((noinline)) void scanlet_counting_ends(void) { __asm__ volatile("" ::: "memory"); }

void program_count_begin(uint32_t* caller_stack) {
  count_top = caller_stack;
  was_counted = 1u;
  core_paint_stack(scanlet_stack_limit, STACK_PAINT);
  scanlet_counting_starts();
}

void scanlet_count_end(void) {
  scanlet_counting_ends();
  const uint32_t depth = stack_depth(count_top);
  if (depth > counted_stack) counted_stack = depth;
}

_Noreturn void program_start(void) {
  for (volatile uint32_t* word = scanlet_bss_begin; word < scanlet_bss_end; ++word) *word = 0u;
  core_paint_stack(scanlet_stack_limit, STACK_PAINT);
  open_files();

  const int result = scanlet_main();

  const uint32_t whole = stack_depth(scanlet_stack_top);
  if (scanlet_stack_limit[0] != STACK_PAINT) program_fault("stack overflow", 0, 0u);
  write_text(status_file, "stack ");
  write_unsigned(status_file, was_counted ? counted_stack : whole);
  write_text(status_file, result < 0 ? "\nresult -" : "\nresult ");
  write_unsigned(status_file, result < 0 ? 0u - (uint32_t)result : (uint32_t)result);
  write_text(status_file, "\n");
  core_exit();
}

_Noreturn void program_fault(const char* kind, const struct fault_value* values, uint32_t count) {
  if (status_file == 0) open_files();  // a fault before program_start
  write_text(status_file, "fault ");
  write_text(status_file, kind);
  for (uint32_t i = 0; i < count; ++i) {
    write_text(status_file, i == 0u ? ": " : ", ");
    write_text(status_file, values[i].name);
    write_text(status_file, " ");
    write_hex(status_file, values[i].value);
  }
  write_text(status_file, "\n");
  core_exit();
}
