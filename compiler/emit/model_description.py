"""What the reader finds in a flatbuffer: tensors, operators, metadata."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scanlet.errors import ModelFileError
from scanlet.graph import Quantization

if TYPE_CHECKING:
    from scanlet.emit.parameters.custom_options import ParameterBlock


@dataclass(frozen=True)
class TensorDescription:
    """A tensor; `data` are a constant's bytes, little-endian, and None for an activation."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    data: bytes | None = field(default=None, repr=False)
    quantization: Quantization | None = None

    @property
    def constant(self) -> bool:
        return self.data is not None

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def array(self) -> np.ndarray:
        """A constant's values."""
        if self.data is None:
            raise ModelFileError(f"tensor {self.name!r} is not constant")
        dtype = np.dtype(self.dtype).newbyteorder("<")
        return np.frombuffer(self.data, dtype).reshape(self.shape)


@dataclass(frozen=True)
class OperatorDescription:
    """An operator: `inputs` and `outputs` are tensor indices, -1 is an absent optional input.

    `options` are the fields of its options table in the schema's lower-case spelling, empty for
    tables that scanlet does not emit.
    """

    name: str
    version: int
    custom: bool
    inputs: list[int]
    outputs: list[int]
    options: dict[str, Any] = field(repr=False)
    custom_options: bytes = field(default=b"", repr=False)

    @property
    def parameters(self) -> ParameterBlock:
        """The decoded parameter block of a SELECTIVE_SSM node. ModelFileError if damaged."""
        from scanlet.emit.parameters.custom_options import decode

        return decode(self.custom_options)


@dataclass(frozen=True)
class ModelDescription:
    """A flatbuffer with one subgraph; `metadata` has its entries by name."""

    description: str
    tensors: list[TensorDescription]
    operators: list[OperatorDescription]
    inputs: list[TensorDescription]
    outputs: list[TensorDescription]
    metadata: dict[str, bytes] = field(repr=False)
    size: int

    @property
    def operator_counts(self) -> dict[str, int]:
        return dict(sorted(Counter(op.name for op in self.operators).items()))
