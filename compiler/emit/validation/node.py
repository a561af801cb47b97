"""An operator together with its tensors, and how it is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from scanlet.emit.model_description import (
    ModelDescription,
    OperatorDescription,
    TensorDescription,
)
from scanlet.errors import ModelFileError

HINT = "the file is damaged, or scanlet did not write it: compile the model again, or copy it again"
#: Of TFLM's own table of dimensions.
MAX_RANK = 6
QUANTIZED = ("int8", "int16")


@dataclass(frozen=True)
class Node:
    """Operator `index` of the subgraph; an optional input that is left out is None."""

    index: int
    op: OperatorDescription
    inputs: Sequence[TensorDescription | None]
    outputs: Sequence[TensorDescription]

    @property
    def output(self) -> TensorDescription:
        return self.outputs[0]

    @property
    def x(self) -> TensorDescription:
        """The first input, which no operator may leave out."""
        return self.tensor(0)

    def tensor(self, position: int) -> TensorDescription:
        """Input `position`, which must be there."""
        found = self.inputs[position] if position < len(self.inputs) else None
        if found is None:
            self.refuse(f"lacks input {position}")
        return found

    def integers(self, position: int, shape: tuple[int, ...]) -> np.ndarray:
        """The values of input `position`, an int32 constant of `shape`."""
        tensor = self.tensor(position)
        if not tensor.constant or tensor.dtype != "int32" or tensor.shape != shape:
            self.refuse(f"input {position}, {tensor.name!r}, is no int32 constant of shape {shape}")
        return tensor.array()

    def need(self, condition: object, what: str) -> None:
        """Refuse unless `condition`."""
        if not condition:
            self.refuse(what)

    def need_inputs(self, least: int, most: int | None = None) -> None:
        """Refuse another number of inputs."""
        count = len(self.inputs)
        if not least <= count <= (most or least):
            self.refuse(f"has {count} inputs, {least} expected")

    def need_output(self, shape: Sequence[int], dtype: str | None = None) -> None:
        """Refuse another shape or type of the output."""
        wanted, found = (tuple(shape), dtype or self.output.dtype), self.output
        if (found.shape, found.dtype) != wanted:
            self.refuse(
                f"writes {found.dtype} {found.shape}, {wanted[1]} {wanted[0]} follow from its "
                "inputs and options"
            )

    def refuse(self, what: str) -> NoReturn:
        """Raise ModelFileError that names the operator and the tensor that it writes."""
        written = f" ({self.outputs[0].name!r})" if self.outputs else ""
        raise ModelFileError(
            f"the operator {what}",
            where=f"operator {self.index}, {self.op.name}{written}",
            hint=HINT,
        )


def nodes(model: ModelDescription) -> list[Node]:
    """The operators of a model whose indices were checked."""
    return [
        Node(
            index,
            op,
            [model.tensors[i] if i >= 0 else None for i in op.inputs],
            [model.tensors[i] for i in op.outputs],
        )
        for index, op in enumerate(model.operators)
    ]


def scale(tensor: TensorDescription) -> float:
    """The one scale of a quantized tensor."""
    return tensor.quantization.scales[0] if tensor.quantization else math.nan
