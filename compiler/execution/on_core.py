"""The whole network as machine code on an emulated core: run it, and count what it costs.

What runs is the generic library (`scanlet.emit.generic.source`): the same SELECTIVE_SSM as in the
TFLM build, with the operators around it as small C functions instead of TFLM's kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanlet.emit.generic.naive import render_naive
from scanlet.emit.generic.source import C_TYPES, render_generic
from scanlet.emit.templates import render
from scanlet.errors import TargetError
from scanlet.execution.operator_parts import instructions_by_part
from scanlet.execution.samples import Sample
from scanlet.graph import Graph
from scanlet.passes.cost import multiplies_by_part
from scanlet.planning.cost_model import estimate
from scanlet.planning.generic import plan_memory
from scanlet.planning.memory import align
from scanlet.planning.plan import Plan
from scanlet.targets import ALL, Target, find

#: Samples that one program runs: bounded so that their inputs fit every emulated machine's RAM.
INPUT_BYTES_A_PROGRAM = 512 * 1024
NAME = "model"


@dataclass(frozen=True)
class CoreProgram:
    """Sources of a program that runs `samples` samples, as the emulation harness takes them."""

    sources: dict[str, str]
    output_sizes: tuple[int, ...]  # bytes of each output
    samples: int

    @property
    def output_bytes(self) -> int:
        return sum(self.output_sizes) * self.samples


def core_target(on: str) -> Target:
    """The target of a core's name, or of a board that an emulated core stands for."""
    target = find(on)
    if target.core is None:
        cores = sorted({t.core for t in ALL.values() if t.core})
        raise TargetError(
            f"nothing emulates the target {on!r}", hint=f"choose one of {', '.join(cores)}"
        )
    return target


def run_on_core(
    graph: Graph, plan: Plan, samples: Sequence[Sample], *, fused: bool = True
) -> list[list[np.ndarray]]:
    """Run the samples one after the other (stream state carries on); outputs as [sample][output].

    Raises MissingToolError naming the packages, or ExecutionError if the guest faults.
    """
    from scanlet.execution.emulation import run_program

    each = sum(array.nbytes for array in samples[0])
    batch = max(1, INPUT_BYTES_A_PROGRAM // max(each, 1))
    if graph_streams(plan):
        batch = len(samples)
    outputs: list[list[np.ndarray]] = []
    for start in range(0, len(samples), batch):
        chosen = samples[start : start + batch]
        program = core_program(graph, plan, len(chosen))
        result = run_program(
            _core(plan.target),
            program.sources,
            input_bytes=_input_bytes(chosen),
            output_bytes=program.output_bytes,
            fused=fused,
            inferences=len(chosen),
        )
        for row in np.frombuffer(result.output, np.uint8).reshape(len(chosen), -1):
            parts = np.split(row, np.cumsum(program.output_sizes)[:-1])
            outputs.append(
                [
                    np.frombuffer(part.tobytes(), np.dtype(t.dtype).newbyteorder("<")).reshape(
                        t.shape
                    )
                    for part, t in zip(parts, graph.outputs, strict=True)
                ]
            )
    return outputs


def measure_on_core(
    graph: Graph, plan: Plan, sample: Sample, *, fused: bool = True, naive: bool = False
) -> dict[str, Any]:
    """Exact cost of one inference: instructions and memory, not cycles.

    `ram_bytes` is everything: the library's static memory, input, output and stack. `parts` are
    the instructions by part of the mixers (`operator_parts`), `kernels` by function as the source
    has it. `naive` measures the transcription that the operator is compared with instead.
    """
    from scanlet.execution.emulation import measure

    program = core_program(graph, plan, 1, naive=naive)
    result = measure(
        _core(plan.target),
        program.sources,
        input_bytes=_input_bytes([sample]),
        output_bytes=program.output_bytes,
        fused=fused,
        expected_instructions=0.0 if naive else estimate(graph, plan),
    )
    memory = plan_memory(graph, plan)
    kernels = {name: c.instructions for name, c in result.per_kernel.items()}
    inputs = sum(tensor.nbytes for tensor in graph.inputs)
    outputs = sum(tensor.nbytes for tensor in graph.outputs)
    return {
        "core": result.core,
        "compiler": result.compiler,
        "fused": result.fused,
        "tile": plan.tile,
        "instructions": result.instructions,
        "loads": result.loads,
        "stores": result.stores,
        "functions": {
            name: {"instructions": c.instructions, "loads": c.loads, "stores": c.stores}
            for name, c in result.per_function.items()
        },
        "kernels": kernels,
        "parts": instructions_by_part(
            kernels, multiplies_by_part(graph), {layer.name for layer in plan.layers}
        ),
        "stack_bytes": result.stack_bytes,
        "static_bytes": result.data_bytes + result.bss_bytes - outputs,
        "predicted_static_bytes": memory.total,
        "input_bytes": inputs,
        "output_bytes": outputs,
        "ram_bytes": result.data_bytes + result.bss_bytes + inputs + result.stack_bytes,
        "text_bytes": result.text_bytes,
        "rodata_bytes": result.rodata_bytes,
    }


def core_program(graph: Graph, plan: Plan, samples: int, *, naive: bool = False) -> CoreProgram:
    """The generic library with a main that runs `samples` samples and counts the last."""
    sizes = tuple(tensor.nbytes for tensor in graph.outputs)
    outputs = [(C_TYPES[tensor.dtype], tensor.size) for tensor in graph.outputs]
    arguments, offset = [], 0
    for tensor in graph.inputs:
        arguments.append(f"(const {C_TYPES[tensor.dtype]}*)(const void*)(in + {offset})")
        offset += align(tensor.nbytes)
    arguments += [f"output{i}" for i in range(len(sizes))]
    sources = (render_naive if naive else render_generic)(graph, plan, name=NAME)
    sources["core_main.c"] = render(
        "generic/core_main.c.j2",
        {
            "name": NAME,
            "samples": samples,
            "outputs": outputs,
            "arguments": ", ".join(arguments),
            "sample_bytes": offset,
        },
    )
    return CoreProgram(sources, sizes, samples)


def graph_streams(plan: Plan) -> bool:
    return any(layer.op.mode == "stream" for layer in plan.layers)


def _core(target: Target) -> str:
    assert target.core is not None, "checked by core_target"
    return target.core


def _input_bytes(samples: Sequence[Sample]) -> bytes:
    arrays = [array.tobytes() for sample in samples for array in sample]
    return b"".join(data.ljust(align(len(data)), b"\0") for data in arrays)
