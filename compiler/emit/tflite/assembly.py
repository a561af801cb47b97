"""The flat form between the graph and the flatbuffer: numbered tensors and operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scanlet.emit.operator_table import BUILTINS, CUSTOM_CODE
from scanlet.errors import EmitError
from scanlet.graph import Quantization, Tensor

#: TFLM's kernels index with int32 only, so int64 tensors are stored as int32 (but for biases,
#: which are quantized).
STORED_DTYPE = {"int64": "int32"}
IMAGE_RANK = 4


@dataclass
class FlatTensor:
    """A tensor of the subgraph; `data` (little-endian bytes) makes it a constant."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: bytes | None = field(default=None, repr=False)
    quantization: Quantization | None = None


@dataclass(frozen=True)
class FlatOperator:
    """An operator by name (of the operator table, or the custom code), with tensor indices.

    `options` are the fields of the schema's options table, in the schema's spelling.
    """

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]
    custom_options: bytes = b""


class Assembly:
    """Collects tensors and operators in execution order.

    Convolutions and pooling work on images (1, 1, L, C), the graph's tensors are (1, L, C), or
    (1, C) for (1, 1, 1, C). A tensor may exist in both forms; the other one is made by a RESHAPE
    when it is first asked for, so a chain of convolutions has no reshapes inside.
    """

    def __init__(self) -> None:
        self.tensors: list[FlatTensor] = []
        self.operators: list[FlatOperator] = []
        self._plain: dict[int, int] = {}  # id(graph tensor) -> index
        self._image: dict[int, int] = {}  # id(graph tensor) -> index of its (1, 1, L, C) form
        self._integers: dict[tuple[tuple[int, ...], bytes], int] = {}
        self._names: set[str] = set()

    # -- tensors -------------------------------------------------------------------------------
    def index(self, tensor: Tensor) -> int:
        """The index of a graph tensor in its own shape (constants are stored on first use)."""
        key = id(tensor)
        if key not in self._plain:
            if key in self._image:
                self._plain[key] = self._as_produced(tensor)
                self.reshape(self._image[key], self._plain[key])
            elif tensor.data is not None:
                self._plain[key] = self.constant(
                    tensor.name, tensor.data, tensor.dtype, tensor.quantization
                )
            else:
                raise EmitError(f"tensor {tensor.name!r} is read before it is computed")
        return self._plain[key]

    def image(self, tensor: Tensor) -> int:
        """The index of a (1, L, C) graph tensor in its form (1, 1, L, C); of an image, as it is."""
        if len(tensor.shape) == IMAGE_RANK:
            return self.index(tensor)
        key = id(tensor)
        if key not in self._image:
            source = self.index(tensor)
            self._image[key] = self._new_image(tensor)
            self.reshape(source, self._image[key])
        return self._image[key]

    def has_only_image(self, tensor: Tensor) -> bool:
        """Whether the tensor was produced as an image and nobody asked for its own shape yet."""
        return id(tensor) in self._image and id(tensor) not in self._plain

    def produce(self, tensor: Tensor) -> int:
        """A new index for a graph tensor (an input, or what an operator is about to compute)."""
        self._plain[id(tensor)] = self._as_produced(tensor)
        return self._plain[id(tensor)]

    def produce_image(self, tensor: Tensor) -> int:
        """As `produce`, in the form (1, 1, L, C)."""
        if len(tensor.shape) == IMAGE_RANK:
            return self.produce(tensor)
        self._image[id(tensor)] = self._new_image(tensor)
        return self._image[id(tensor)]

    def constant(
        self,
        name: str,
        data: np.ndarray,
        dtype: str = "float32",
        quantization: Quantization | None = None,
    ) -> int:
        """Store a constant; float64 data is rounded to the stored type here, once."""
        stored = dtype if quantization else STORED_DTYPE.get(dtype, dtype)
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(data).astype(np.dtype(stored).newbyteorder("<"))
        exact = np.issubdtype(array.dtype, np.floating) or (array.ravel() == np.ravel(data)).all()
        if not exact or (np.isinf(array) & np.isfinite(data)).any():
            raise EmitError(f"a value does not fit {stored}", where=f"constant {name!r}")
        return self._add(
            FlatTensor(name, tuple(np.shape(data)), stored, array.tobytes(), quantization)
        )

    def integers(self, values: Sequence[int] | np.ndarray) -> int:
        """A shared int32 constant: a shape, axes, slice bounds."""
        array = np.asarray(values, np.int32)
        key = (tuple(array.shape), array.tobytes())
        if key not in self._integers:
            self._integers[key] = self.constant(f"integers_{len(self._integers)}", array, "int32")
        return self._integers[key]

    def shape(self, index: int) -> tuple[int, ...]:
        return self.tensors[index].shape

    # -- operators -----------------------------------------------------------------------------
    def operator(
        self, name: str, inputs: Sequence[int], output: int, *, version: int = 1, **options: Any
    ) -> None:
        """Append a builtin operator; `options` in the schema's spelling.

        On quantized tensors the version is at least what their type needs. Raises EmitError where
        there is no kernel for that type.
        """
        entry = BUILTINS[name]
        for tensor in (self.tensors[output], self.tensors[inputs[0]]):
            if tensor.quantization is not None:
                least = entry.version(tensor.dtype)
                if least is None:
                    raise EmitError(
                        f"TFLite Micro has no {name} for {tensor.dtype}", where=tensor.name
                    )
                version = max(version, least)
        if options and entry.options is None:
            raise EmitError(f"{name} takes no options, got {sorted(options)}")
        self.operators.append(FlatOperator(name, version, tuple(inputs), (output,), options))

    def custom_operator(self, inputs: Sequence[int], output: int, custom_options: bytes) -> None:
        """Append a SELECTIVE_SSM node with its parameter block."""
        self.operators.append(
            FlatOperator(CUSTOM_CODE, 1, tuple(inputs), (output,), {}, custom_options)
        )

    def reshape(self, source: int, target: int) -> None:
        """RESHAPE between two tensors that exist."""
        shape = self.shape(target)
        self.operator("RESHAPE", [source, self.integers(shape)], target, NewShape=list(shape))

    # -- inside --------------------------------------------------------------------------------
    def _as_produced(self, tensor: Tensor) -> int:
        dtype = STORED_DTYPE.get(tensor.dtype, tensor.dtype)
        return self._add(
            FlatTensor(tensor.name, tensor.shape, dtype, quantization=tensor.quantization)
        )

    def _new_image(self, tensor: Tensor) -> int:
        batch, channels = tensor.shape[0], tensor.shape[-1]
        length = tensor.shape[1] if len(tensor.shape) == IMAGE_RANK - 1 else 1
        return self._add(
            FlatTensor(
                f"{tensor.name}_2d",
                (batch, 1, length, channels),
                tensor.dtype,
                quantization=tensor.quantization,
            )
        )

    def _add(self, tensor: FlatTensor) -> int:
        name, count = tensor.name, 1
        while tensor.name in self._names:
            tensor.name = f"{name}_{count}"
            count += 1
        self._names.add(tensor.name)
        self.tensors.append(tensor)
        return len(self.tensors) - 1
