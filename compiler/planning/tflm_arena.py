"""What a flatbuffer needs of TFLM's tensor arena, before any interpreter has seen it.

The head of the arena holds activations and scratch buffers, placed by the greedy planner that
`memory.place` states as well: predicted to the byte. The tail holds what stays: the interpreter's
tables, the kernels' own data, stream state. Its size depends on the width of pointers; it is
modelled from the sizes of TFLM's structures (`POINTERS_32` for the device, `POINTERS_64` for the
interpreter of this machine, against which the model is tested).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanlet.planning.layer import LayerPlan
from scanlet.planning.memory import Lifetime, align, place

if TYPE_CHECKING:
    from scanlet.emit.model_description import ModelDescription, OperatorDescription


@dataclass(frozen=True)
class StructureSizes:
    """Bytes of TFLM's structures (esp-tflite-micro 1.4.0) and of what a node brings along."""

    fixed: int  # allocators, planner, subgraph table
    tensor: int  # TfLiteEvalTensor
    node: int  # NodeAndRegistration
    boundary: int  # TfLiteTensor of a graph input or output
    quantization: int  # of a quantized input or output, where `boundary` does not have it
    handle: int  # ScratchBufferHandle
    parameters: int  # a builtin operator's options, at most on average
    kernel_data: int  # a builtin kernel's own data, at most on average
    mixer_data: int  # the data of a SELECTIVE_SSM node


POINTERS_32 = StructureSizes(192, 12, 32, 32 + 28, 0, 4, 16, 48, 32)
POINTERS_64 = StructureSizes(528, 24, 64, 64, 32, 8, 20, 80, 64)

#: What a device's arena gets beyond the host's recorded need, at least: esp-nn's kernels request
#: scratch that the reference kernels do not.
MARGIN_BYTES = 2048

_SUMMING = frozenset({"MEAN", "SUM"})
_REDUCING = _SUMMING | {"REDUCE_MAX", "REDUCE_MIN"}
_PER_CHANNEL = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
#: Operators whose kernels keep next to nothing.
_WITHOUT_DATA = frozenset({"EXP", "LOG", "NEG", "RSQRT", "SQRT", "SQUARE"})
#: The two tables that an int16 SOFTMAX fills in and keeps.
_SOFTMAX_TABLES = 2 * 2 * 513

#: Convolutions that device kernels copy the operands of.
_COPYING = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})


@dataclass(frozen=True)
class ArenaPrediction:
    """Bytes: `head` for tensors and scratch (exact), `tail` for everything that stays (a model)."""

    head: int
    tail: int

    @property
    def total(self) -> int:
        return self.head + align(self.tail)


def predict_arena(
    model: ModelDescription, layers: Sequence[LayerPlan], sizes: StructureSizes = POINTERS_32
) -> ArenaPrediction:
    """The arena of `model`, whose SELECTIVE_SSM mixers are `layers` in order."""
    remaining = iter(layers)
    tail = sizes.fixed + sizes.tensor * len(model.tensors)
    for tensor in (*model.inputs, *model.outputs):
        tail += sizes.boundary + (sizes.quantization if tensor.quantization else 0)
    for operator, scratch in zip(model.operators, _scratches(model, layers), strict=True):
        tail += sizes.node
        if not operator.custom:
            tail += sizes.parameters + _builtin_kept(operator, model)
            tail += sizes.kernel_data if operator.name not in _WITHOUT_DATA else 0
        else:
            tail += sizes.mixer_data
            if operator.parameters.is_layer:
                layer = next(remaining)
                tail += layer.state_bytes if layer.op.mode == "stream" else 0
        tail += sizes.handle * len(scratch)
    return ArenaPrediction(place(head_buffers(model, layers)).nbytes, tail)


def head_buffers(model: ModelDescription, layers: Sequence[LayerPlan]) -> list[Lifetime]:
    """What the greedy planner places: activations, then the operators' scratch."""
    buffers = tensor_lifetimes(model)
    for step, scratch in enumerate(_scratches(model, layers), start=1):
        name = f"scratch of {model.operators[step - 1].name}"
        buffers += [Lifetime(name, nbytes, step, step) for nbytes in scratch]
    return buffers


def _scratches(model: ModelDescription, layers: Sequence[LayerPlan]) -> list[list[int]]:
    """Scratch buffers that each operator requests, in bytes."""
    remaining = iter(layers)
    found = []
    for operator in model.operators:
        if not operator.custom:
            found.append(_builtin_scratch(operator, model))
        elif operator.parameters.is_layer:
            layer = next(remaining)
            state = 0 if layer.op.mode == "stream" else layer.state_bytes
            nbytes = layer.scratch_bytes + state
            found.append([nbytes] if nbytes else [])
        else:
            found.append([])
    return found


def device_margin(model: ModelDescription) -> int:
    """Bytes that device kernels may request beyond the host's.

    esp-nn copies filters and padded inputs of int8 convolutions, depthwise ones as int16; how much
    depends on its version, so this is room for both copies.
    """
    copies = [
        2 * sum(model.tensors[index].nbytes for index in operator.inputs[:2])
        for operator in model.operators
        if operator.name in _COPYING and model.tensors[operator.inputs[0]].dtype == "int8"
    ]
    return MARGIN_BYTES + align(max(copies, default=0))


def ram_parts(
    arena: ArenaPrediction, stack_bytes: int, margin: int = MARGIN_BYTES
) -> dict[str, int]:
    """All RAM of a project that runs on TFLM, in bytes by part."""
    return {
        "tensors and scratch": arena.head,
        "interpreter and state": align(arena.tail),
        "margin for device kernels": margin,
        "stack": stack_bytes,
    }


def tensor_lifetimes(model: ModelDescription) -> list[Lifetime]:
    """The activations by index: inputs from step 0 on, operators are steps 1, 2, ..."""
    first = {tensor.index: 0 for tensor in model.inputs}
    last = dict(first)
    for step, operator in enumerate(model.operators, start=1):
        for index in operator.outputs:
            first[index] = last[index] = step
        for index in operator.inputs:
            if index in last:
                last[index] = step
    for tensor in model.outputs:
        last[tensor.index] = len(model.operators)
    return [
        Lifetime(tensor.name, tensor.nbytes, first[tensor.index], last[tensor.index])
        for tensor in model.tensors
        if tensor.index in first
    ]


def _builtin_scratch(operator: OperatorDescription, model: ModelDescription) -> list[int]:
    """Scratch that the reference kernel of a builtin operator requests, in bytes."""
    if operator.name not in _REDUCING:
        return []
    x, axes = (model.tensors[index] for index in operator.inputs[:2])
    scratch = [4 * len(x.shape), 4 * math.prod(axes.shape)]
    if operator.name in _SUMMING and x.quantization is not None:
        scratch.insert(0, 4 * math.prod(model.tensors[operator.outputs[0]].shape))
    return scratch


def _builtin_kept(operator: OperatorDescription, model: ModelDescription) -> int:
    """Bytes that an integer kernel keeps beyond its own data: factors, tables."""
    x = model.tensors[operator.inputs[0]]
    if x.quantization is None:
        return 0
    if operator.name in _PER_CHANNEL:
        weights = model.tensors[operator.inputs[1]].quantization
        return 8 * len(weights.scales) if weights else 0
    return _SOFTMAX_TABLES if operator.name == "SOFTMAX" and x.dtype == "int16" else 0
