// SPDX-License-Identifier: Apache-2.0
// A plugin of QEMU that counts how often each instruction of the guest runs, and its memory
// accesses.
//
// Arguments: code_begin=ADDRESS and code_end=ADDRESS (what is counted address by address), begin=
// ADDRESS and end=ADDRESS (the instructions that start and stop the counting), counts=FILE (written
// at every stop: a line "address instructions loads stores loaded_bytes stored_bytes" for each
// instruction that ran, and one with the address "elsewhere" for all code outside the range);
// optionally executed=FILE (a uint64_t, all instructions so far, for whoever looks while it runs).
//
// An instruction that loads counts as one load, however many registers it fills; the bytes tell
// them apart. The guest has one core, so nothing here is shared between threads.

#define _POSIX_C_SOURCE 200809L  // mmap and ftruncate

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// QEMU's plugin interface, version 1; distributions ship the emulator without its header.
typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum { QEMU_PLUGIN_CB_NO_REGS = 0, QEMU_PLUGIN_MEM_RW = 3, QEMU_PLUGIN_INLINE_ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*callback)(qemu_plugin_id_t,
                                                            struct qemu_plugin_tb*));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* tb);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb* tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn* insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn* insn,
                                            void (*callback)(unsigned int, void*), int flags,
                                            void* data);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb* tb, int operation,
                                              void* counter, uint64_t amount);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn* insn, int operation,
                                                void* counter, uint64_t amount);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn* insn,
                                      void (*callback)(unsigned int, qemu_plugin_meminfo_t,
                                                       uint64_t, void*),
                                      int flags, int accesses, void* data);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;

struct counter {
  uint64_t instructions;  // first: the emulated code adds to it directly
  uint64_t loads;
  uint64_t stores;
  uint64_t loaded_bytes;
  uint64_t stored_bytes;
  uint64_t last_load;   // value of `instructions` at the last load and store, so that several
  uint64_t last_store;  // accesses of one instruction count once
};

struct place {
  struct counter now;
  struct counter total;
};

static struct place* places;  // one for each address of the code, then the one for all other code
static size_t place_count;    // of the code
static uint64_t code_begin;
static uint64_t begin_address;
static uint64_t end_address;
static const char* counts_path;
static uint64_t* executed;  // in a file that is mapped; NULL if nobody looks

static struct place* find_place(uint64_t address) {
  const bool inside = address >= code_begin && address - code_begin < place_count;
  return &places[inside ? address - code_begin : place_count];
}

// Counters always run; what they held before the start is thrown away here.
static void start_counting(unsigned int cpu, void* data) {
  (void)cpu;
  (void)data;
  for (size_t i = 0; i <= place_count; ++i) memset(&places[i].now, 0, sizeof places[i].now);
}

static void stop_counting(unsigned int cpu, void* data) {
  (void)cpu;
  (void)data;
  FILE* file = fopen(counts_path, "w");
  if (file == NULL) return;
  for (size_t i = 0; i <= place_count; ++i) {
    const struct counter* now = &places[i].now;
    struct counter* total = &places[i].total;
    total->instructions += now->instructions;
    total->loads += now->loads;
    total->stores += now->stores;
    total->loaded_bytes += now->loaded_bytes;
    total->stored_bytes += now->stored_bytes;
    if (total->instructions == 0) continue;
    if (i < place_count) {
      fprintf(file, "%" PRIu64, code_begin + i);
    } else {
      fprintf(file, "elsewhere");
    }
    fprintf(file, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
            total->instructions, total->loads, total->stores, total->loaded_bytes,
            total->stored_bytes);
  }
  fclose(file);
}

static void count_access(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address,
                         void* data) {
  (void)cpu;
  (void)address;
  struct counter* counter = &((struct place*)data)->now;
  const uint64_t bytes = (uint64_t)1 << qemu_plugin_mem_size_shift(info);
  if (qemu_plugin_mem_is_store(info)) {
    counter->stores += counter->last_store != counter->instructions;
    counter->last_store = counter->instructions;
    counter->stored_bytes += bytes;
  } else {
    counter->loads += counter->last_load != counter->instructions;
    counter->last_load = counter->instructions;
    counter->loaded_bytes += bytes;
  }
}

static void instrument(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
  (void)id;
  const size_t count = qemu_plugin_tb_n_insns(block);
  if (executed != NULL) {
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, executed, count);
  }
  for (size_t i = 0; i < count; ++i) {
    struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(block, i);
    const uint64_t address = qemu_plugin_insn_vaddr(insn);
    struct place* place = find_place(address);
    qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
                                               &place->now.instructions, 1);
    qemu_plugin_register_vcpu_mem_cb(insn, count_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                     place);
    if (address == begin_address) {
      qemu_plugin_register_vcpu_insn_exec_cb(insn, start_counting, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
    if (address == end_address) {
      qemu_plugin_register_vcpu_insn_exec_cb(insn, stop_counting, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
  }
}

// A counter in a new file, for other processes to read; NULL where that fails.
static uint64_t* map_counter(const char* path) {
  const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (file < 0) return NULL;
  void* mapped = MAP_FAILED;
  if (ftruncate(file, sizeof(uint64_t)) == 0) {
    mapped = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  close(file);
  return mapped == MAP_FAILED ? NULL : mapped;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t* info, int argc, char** argv);
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t* info, int argc,
                        char** argv) {
  (void)info;
  uint64_t code_end = 0;
  for (int i = 0; i < argc; ++i) {
    const char* value = strchr(argv[i], '=');
    if (value == NULL) return 1;
    ++value;
    if (strncmp(argv[i], "counts=", 7) == 0) counts_path = value;
    if (strncmp(argv[i], "executed=", 9) == 0) executed = map_counter(value);
    if (strncmp(argv[i], "code_begin=", 11) == 0) code_begin = strtoull(value, NULL, 0);
    if (strncmp(argv[i], "code_end=", 9) == 0) code_end = strtoull(value, NULL, 0);
    if (strncmp(argv[i], "begin=", 6) == 0) begin_address = strtoull(value, NULL, 0);
    if (strncmp(argv[i], "end=", 4) == 0) end_address = strtoull(value, NULL, 0);
  }
  if (counts_path == NULL || code_end < code_begin) return 1;
  place_count = (size_t)(code_end - code_begin);
  places = calloc(place_count + 1, sizeof *places);
  if (places == NULL) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, instrument);
  return 0;
}
