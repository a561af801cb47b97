# SPDX-License-Identifier: Apache-2.0
# Xtensa (de233_fpu, call0 ABI): reset, exception vectors, simulator call, counting.

# The core starts here, far from the RAM that holds everything else.
    .section .reset, "ax"
    .global xtensa_reset
    .type xtensa_reset, @function
xtensa_reset:
    j 1f
    .balign 4
.Lstack:
    .long scanlet_stack_top
.Lprogram:
    .long program_start
1:
    movi a2, 0
    wsr a2, intenable
    wsr a2, ps                  # leaves exception mode, so that exceptions are not double ones
    rsync
    movi a2, 255
    wsr a2, cpenable            # the float unit is a coprocessor
    movi a2, 0
    wsr a2, dbreaka0            # null pointers fault: a data breakpoint on addresses 0 to 63
    movi a2, 3
    slli a2, a2, 30
    wsr a2, dbreakc0            # for loads and stores; the six mask bits are 0: not compared
    rsync
    l32r a1, .Lstack
    l32r a2, .Lprogram
    jx a2
    .size xtensa_reset, . - xtensa_reset

# At VECBASE's reset value. Entries lie where the core wants them; what it would use below 0x180
# (register windows) and 0x280 (interrupts) never happens here.
    .section .vectors, "ax"
.Lfresh_stack:
    .long scanlet_stack_top
.Lreport:
    .long xtensa_report
    .org 0x280                  # debug: a watched address
    rsr a3, epc6
    movi a2, 63                 # no exception has this number; XTENSA_NULL_POINTER in xtensa.c
    j report_cause
    .org 0x300                  # kernel: raised outside user mode, which is where programs run
    rsr a3, epc1
    j report
    .org 0x340                  # user
    rsr a3, epc1
    j report
    .org 0x3c0                  # an exception inside an exception
    rsr a3, depc
    j report
report:
    rsr a2, exccause
report_cause:
    rsr a4, excvaddr
    mov a5, a0
    mov a6, a1
    l32r a1, .Lfresh_stack      # the old one may be what failed
    l32r a7, .Lreport
    jx a7

# int32_t xtensa_simcall(operation, a, b, c): arguments arrive where the call wants them.
    .section .text.xtensa_simcall, "ax"
    .global xtensa_simcall
    .type xtensa_simcall, @function
xtensa_simcall:
    .byte 0x00, 0x51, 0x00      # simcall
    ret
    .size xtensa_simcall, . - xtensa_simcall

# void scanlet_count_begin(void)
    .section .text.scanlet_count_begin, "ax"
    .global scanlet_count_begin
    .type scanlet_count_begin, @function
scanlet_count_begin:
    mov a2, a1
    j program_count_begin
    .size scanlet_count_begin, . - scanlet_count_begin

    .section .note.GNU-stack, "", @progbits
