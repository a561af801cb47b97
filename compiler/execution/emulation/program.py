"""Run and measure C programs on emulated cores.

A program is C source with `int scanlet_main(void)`; tflm_ops/bare_metal/scanlet_program.h says
what else it may use. Counts are instructions and memory accesses, not cycles: the emulator models
no cache, no flash and no pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path

from scanlet import progress
from scanlet.errors import ExecutionError
from scanlet.execution.emulation import counting, machine, tools
from scanlet.execution.emulation.build import Program, build
from scanlet.execution.emulation.cores import Core, find
from scanlet.execution.emulation.counting import Counts
from scanlet.execution.scratch import scratch_directory

#: Seconds a program may run. Counting takes about twice the time.
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Sizes:
    """Bytes in the linked program, without the harness's own start files, stack and input.

    `functions` holds the code size of each function, libraries' functions included.
    """

    text_bytes: int
    rodata_bytes: int
    data_bytes: int
    bss_bytes: int
    functions: Mapping[str, int]


@dataclass(frozen=True)
class ProgramResult:
    """What a program emitted and printed, how deep its stack grew, and how large it is.

    `stack_bytes` is the deepest point between scanlet_count_begin and scanlet_count_end, or of the
    whole program if it does not call them. `counts` and `kernel_counts` are there if counting was
    asked for, largest first: by function as linked, and by function as the source has it, where
    code that was inlined has an entry "outer > inlined" of its own.
    """

    core: str
    output: bytes
    text: str
    stack_bytes: int
    sizes: Sizes
    seconds: float
    counts: Mapping[str, Counts] | None = None
    kernel_counts: Mapping[str, Counts] | None = None


@dataclass(frozen=True)
class Measurement:
    """Exact cost of the counted region of a program, and the program's sizes, all in bytes.

    `loads` and `stores` are instructions; a load of several registers is one. `per_function` goes
    by function as linked, `per_kernel` also tells inlined functions apart, as "outer > inlined".
    `fused`: the build used fused multiply-adds.
    """

    core: str
    compiler: str
    fused: bool
    instructions: int
    loads: int
    stores: int
    loaded_bytes: int
    stored_bytes: int
    per_function: Mapping[str, Counts]
    per_kernel: Mapping[str, Counts]
    stack_bytes: int
    text_bytes: int
    rodata_bytes: int
    data_bytes: int
    bss_bytes: int
    output: bytes
    text: str


def run_program(
    core: str | Core,
    sources: Mapping[str, str],
    *,
    input_bytes: bytes = b"",
    output_bytes: int | None = None,
    defines: Sequence[str] = (),
    fused: bool = True,
    timeout_s: float = TIMEOUT_S,
    count: bool = False,
    inferences: int = 1,
    expected_instructions: float = 0.0,
) -> ProgramResult:
    """Build a program for `core`, run it once, and return what it emitted.

    `sources` maps file names to texts, headers included. `input_bytes` appear in RAM at
    `scanlet_input`. `output_bytes`, if given, is the number of bytes that the program must emit.
    `defines` are preprocessor definitions ("NAME" or "NAME=VALUE"). `inferences`, each of which
    emits an equal part of the output, and `expected_instructions` are what progress is measured
    by. Raises TargetError for an unknown core, MissingToolError naming the packages to install,
    and ExecutionError if a build step fails or the program faults, hangs, fails or emits another
    number of bytes.
    """
    found = find(core)
    program = build(found, sources, defines=defines, fused=fused, input_size=len(input_bytes))
    watched = progress.watched()
    look = look_at_counts if count else look_at_output
    expected = expected_instructions if count else inferences
    with scratch_directory("scanlet-emulation-") as folder:
        progress.step(_running(found, count))
        finished = machine.run(
            program,
            folder,
            input_bytes=input_bytes,
            timeout_s=timeout_s,
            arguments=counting.arguments(program, folder, watched=watched) if count else (),
            look=partial(look, found, output_bytes, expected) if watched else None,
        )
        counts = counting.read(program, folder) if count else None
    if output_bytes is not None and len(finished.output) != output_bytes:
        raise ExecutionError(
            f"the program emitted {len(finished.output)} bytes, {output_bytes} were expected",
            where=found.name,
        )
    return ProgramResult(
        core=found.name,
        output=finished.output,
        text=finished.text,
        stack_bytes=finished.stack_bytes,
        sizes=_sizes(program),
        seconds=finished.seconds,
        counts=None if counts is None else counting.by_function(program, counts),
        kernel_counts=None if counts is None else counting.by_kernel(program, counts),
    )


def _running(core: Core, count: bool) -> str:
    return f"{'counting instructions' if count else 'running'} on {core.name}"


def look_at_counts(core: Core, _: int | None, expected: float, folder: Path) -> None:
    """Tell how many of the instructions that the cost model expects have run."""
    done = counting.executed(folder)
    million = f"{done / 1e6:,.0f}"
    of = f" of about {expected / 1e6:,.0f}" if done < expected else ""
    progress.step(_running(core, True), done, round(max(expected, done)), f"{million}{of} million")


def look_at_output(core: Core, size: int | None, inferences: float, folder: Path) -> None:
    """Tell how many inferences have emitted their outputs."""
    output = folder / "output"
    if size and inferences > 1 and output.exists():
        done = int(output.stat().st_size * inferences // size)
        progress.step(_running(core, False), done, int(inferences))


def measure(
    core: str | Core,
    sources: Mapping[str, str],
    *,
    input_bytes: bytes = b"",
    output_bytes: int | None = None,
    defines: Sequence[str] = (),
    fused: bool = True,
    timeout_s: float = TIMEOUT_S,
    expected_instructions: float = 0.0,
) -> Measurement:
    """Run a program with counting; arguments and errors are those of `run_program`.

    The program must call scanlet_count_begin and scanlet_count_end around what is measured.
    """
    found = find(core)
    result = run_program(
        found,
        sources,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        defines=defines,
        fused=fused,
        timeout_s=timeout_s,
        count=True,
        expected_instructions=expected_instructions,
    )
    per_function = result.counts or {}
    total = reduce(add, per_function.values(), Counts())
    return Measurement(
        core=found.name,
        compiler=tools.version(found.compiler),
        fused=fused and found.has_fused_multiply_add,
        instructions=total.instructions,
        loads=total.loads,
        stores=total.stores,
        loaded_bytes=total.loaded_bytes,
        stored_bytes=total.stored_bytes,
        per_function=per_function,
        per_kernel=result.kernel_counts or {},
        stack_bytes=result.stack_bytes,
        text_bytes=result.sizes.text_bytes,
        rodata_bytes=result.sizes.rodata_bytes,
        data_bytes=result.sizes.data_bytes,
        bss_bytes=result.sizes.bss_bytes,
        output=result.output,
        text=result.text,
    )


def check_tools(core: str | Core, *, count: bool = False) -> None:
    """Raise MissingToolError, naming the packages, if `core` cannot be built for or emulated."""
    found = find(core)
    tools.check(found.name, (*found.tools, "cc") if count else found.tools)


def describe_tools(core: str | Core) -> dict[str, str | None]:
    """Version of each program that `core` needs, None for one that is not installed."""
    return {
        tool: tools.version(tool) if tools.is_installed(tool) else None for tool in find(core).tools
    }


def _sizes(program: Program) -> Sizes:
    image = program.image
    return Sizes(
        text_bytes=image.section_size(".text"),
        rodata_bytes=image.section_size(".rodata"),
        data_bytes=image.section_size(".data"),
        bss_bytes=image.section_size(".bss"),
        functions={f.name: f.end - f.begin for f in program.functions if f.section == ".text"},
    )
