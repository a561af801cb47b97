"""The nodes of compiled models as C++ tables, and the operators' sources, for operator_fuzzer.cc.

Read from the flatbuffers, not from the generated operators: what `prepare` is to accept is stated
by something else than what it compares with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from fuzz_engine import HERE, FuzzTarget

import scanlet
from scanlet.emit.kinds import KIND_GELU, KIND_INTEGER
from scanlet.emit.model_description import OperatorDescription, TensorDescription
from scanlet.emit.parameters.custom_options import decode

STUBS = HERE.parent / "tflm_ops"
TYPES = {"float32": 1, "int32": 2, "int16": 7, "int8": 9}
#: Steps that an integer mean counts at most (see `emit.kinds`).
LONGEST_MEAN = 65535
HEADER = "operator_nodes.h"


def operator_target(name: str, models: Sequence[scanlet.Compiled], folder: Path) -> FuzzTarget:
    """The target of the operators of `models`, whose sources are written to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    sources, kernels = [HERE / "operator_fuzzer.cc"], []
    for model in models:
        component = folder / model.name
        for path, text in model.component.items():
            (component / path).parent.mkdir(parents=True, exist_ok=True)
            (component / path).write_text(text, "utf-8")
        stem = component / f"selective_ssm_{model.name}"
        sources.append(Path(f"{stem}_registration.cc"))
        kernels.append(stem.with_suffix(".c"))
    (folder / HEADER).write_text(nodes_header(models), "utf-8")
    count = sum(len(custom_operators(model)) for model in models)
    return FuzzTarget(
        name,
        tuple(sources),
        includes=(folder, HERE, STUBS / "stubs_common", STUBS / "stubs_global"),
        seeds=tuple(seeds(count)),
        words=(b"SSM1",),
        longest=80,
        followers=tuple(kernels),
    )


def seeds(nodes: int) -> Iterable[bytes]:
    """Each node as it is, and one node with each kind of change (see operator_case.h)."""
    for node in range(nodes):
        yield bytes((node, 3, node))
    changes = 27
    for change in range(changes):
        for node in range(change % 3, nodes, 3):
            yield bytes((node, 2, 1, change, 0, 1, 0, 0, 0, 0))


def custom_operators(model: scanlet.Compiled) -> list[OperatorDescription]:
    return [operator for operator in model.description.operators if operator.custom]


def nodes_header(models: Sequence[scanlet.Compiled]) -> str:
    """The tables kNodes of all models, and the functions that register their operators."""
    lines = ["// SPDX-License-Identifier: Apache-2.0", '#include "operator_facts.h"']
    lines += [f'#include "{m.name}/selective_ssm_{m.name}_registration.h"' for m in models]
    entries = []
    for model in models:
        for number, operator in enumerate(custom_operators(model)):
            entries.append(_node(lines, model, operator, f"{model.name}_{number}"))
    lines += ["constexpr NodeFact kNodes[] = {", *entries, "};"]
    return "\n".join(lines) + "\n"


def _node(
    lines: list[str], model: scanlet.Compiled, operator: OperatorDescription, symbol: str
) -> str:
    """The entry of a node in the table; what it points to goes to `lines`."""
    tensors = model.description.tensors
    block = decode(operator.custom_options)
    inputs = [tensors[i] for i in operator.inputs]
    (output,) = (tensors[i] for i in operator.outputs)
    for i, tensor in enumerate(inputs[1:], 1):
        lines.append(_bytes(f"{symbol}_weight{i}", tensor.data))
    lines.append(_bytes(f"{symbol}_options", operator.custom_options))
    facts = [_tensor(tensor, f"{symbol}_weight{i}" if i else "") for i, tensor in enumerate(inputs)]
    lines += [f"constexpr TensorFact {symbol}_inputs[] = {{{', '.join(facts)}}};"]
    gelu = block.kind == KIND_GELU
    pooled = not gelu and len(output.shape) == 2
    ahead = 0 if gelu or pooled else output.shape[1] - inputs[0].shape[1]
    mean = block.kind == KIND_INTEGER and block.pooling == "mean"
    fields = [
        f'"{symbol}", "{model.name}", {model.name}_register_selective_ssm',
        f"{symbol}_options, sizeof({symbol}_options)",
        f"{symbol}_inputs, {len(inputs)}, {_tensor(output, '')}",
        f"{_flag(gelu)}, {_flag(pooled)}, {_flag(block.stream)}",
        f"{_flag(block.kind == KIND_INTEGER)}, {ahead}, {LONGEST_MEAN if mean else 0}",
    ]
    return f"    {{{', '.join(fields)}}},"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _tensor(tensor: TensorDescription, data: str) -> str:
    dims = ", ".join(map(str, tensor.shape))
    where = f"{data}, sizeof({data})" if data else "nullptr, 0"
    return f"{{{TYPES[tensor.dtype]}, {len(tensor.shape)}, {{{dims}}}, {where}}}"


def _bytes(name: str, data: bytes) -> str:
    values = ",".join(map(str, data))
    return f"alignas(16) constexpr uint8_t {name}[] = {{{values}}};"
