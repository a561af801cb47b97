"""Arrays as a model takes and gives them: checked, cut into calls, quantized, joined again.

The same for a model on this machine and for one on a board.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scanlet.errors import InputError
from scanlet.execution.samples import Sample, as_array
from scanlet.graph.quantized import dequantized, quantized

if TYPE_CHECKING:
    from scanlet.emit.model_description import TensorDescription
    from scanlet.passes import StreamShape


class Exchange:
    """What is to be known of a model for that; subclasses define it.

    `mode` is "sequence" or "stream"; `stream` says where time lies in stream mode.
    """

    mode: str
    stream: StreamShape | None

    @property
    def inputs(self) -> list[TensorDescription]:
        raise NotImplementedError

    @property
    def outputs(self) -> list[TensorDescription]:
        raise NotImplementedError

    def stored_inputs(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Real input values as the model stores them: to nearest, saturated."""
        return _stored(self.inputs, arrays)

    def stored_outputs(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Real output values (PyTorch's, say) as the model would store them."""
        return _stored(self.outputs, arrays)

    def real_outputs(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Stored output values as float32 numbers."""
        return [
            dequantized(array, tensor.quantization).astype(np.float32)
            if tensor.quantization
            else array
            for tensor, array in zip(self.outputs, arrays, strict=True)
        ]

    def _calls(self, batches: Sequence[np.ndarray]) -> list[Sample]:
        """The inputs of each call: a sample of the batch, or a chunk of the stream."""
        if self.stream is not None:
            from scanlet.execution.streams import chunks_of

            return list(chunks_of(batches, self.stream))
        return [tuple(b[i : i + 1] for b in batches) for i in range(batches[0].shape[0])]

    def _joined(self, results: Sequence[Sequence[np.ndarray]]) -> Any:
        """The outputs [call][output] of calls, one behind the other: an array, or a tuple."""
        axes = self.stream.outputs if self.stream else (None,) * len(results[0])
        outputs = tuple(
            np.concatenate(parts, axis=axis or 0) if len(results) > 1 else parts[0]
            for parts, axis in zip(zip(*results, strict=True), axes, strict=True)
        )
        return outputs if len(outputs) > 1 else outputs[0]

    def _batches(self, inputs: tuple[Any, ...], *, stored: bool = False) -> list[np.ndarray]:
        """The inputs as arrays, checked; of the stored types, or real values of theirs."""
        if len(inputs) != len(self.inputs):
            raise InputError(f"{len(self.inputs)} inputs expected, got {len(inputs)}")
        batches = []
        axes = self.stream.inputs if self.stream else (None,) * len(inputs)
        for tensor, value, axis in zip(self.inputs, inputs, axes, strict=True):
            array = as_array(value)
            self._check_chunks(array, axis)
            shape = list(tensor.shape[1:])
            if axis and array.ndim > axis:
                shape[axis - 1] = array.shape[axis]
            if array.ndim != len(tensor.shape) or list(array.shape[1:]) != shape:
                raise InputError(
                    f"input {tensor.name!r} has shape {tuple(array.shape)}, "
                    f"the model was compiled for {tensor.shape} (or a batch of them)"
                )
            if not len(array):
                raise InputError(f"input {tensor.name!r} is an empty batch")
            real = tensor.quantization is not None and not stored
            if real and np.isnan(array).any():
                raise InputError(f"input {tensor.name!r} holds NaN, which no integer stands for")
            if stored and tensor.quantization is not None:
                _check_stored(tensor, array)
            if tensor.quantization is None and np.issubdtype(tensor.dtype, np.integer):
                _check_integers(tensor, array)
            batches.append(array.astype("float32" if real else tensor.dtype, copy=False))
        counts = {len(batch) for batch in batches}
        if len(counts) != 1:
            raise InputError(f"the inputs' batches differ in size: {sorted(counts)}")
        if self.mode == "stream" and counts != {1}:
            raise InputError(
                "a batch makes no sense in stream mode, where the state carries over",
                hint="call run once for each chunk, and reset() between sequences",
            )
        return batches

    def _check_chunks(self, array: np.ndarray, axis: int | None) -> None:
        if self.stream is None or axis is None or array.ndim <= axis:
            return
        length, chunk = array.shape[axis], self.stream.chunk
        if length % chunk or not length:
            raise InputError(
                f"{length} steps are no whole number of chunks of {chunk}",
                hint="keep what is left until the rest of the chunk is there",
            )


def _check_integers(tensor: TensorDescription, array: np.ndarray) -> None:
    """Tokens of any integer type fit, and so do floats without fractions; nothing wraps around."""
    if not np.isfinite(array).all() or not np.array_equal(array, np.round(array)):
        raise InputError(f"input {tensor.name!r} takes integers ({tensor.dtype}), got fractions")
    _check_range(tensor, array)


def _check_range(tensor: TensorDescription, array: np.ndarray) -> None:
    info = np.iinfo(tensor.dtype)
    if array.min() < info.min or array.max() > info.max:
        raise InputError(
            f"input {tensor.name!r} holds {array.min()} to {array.max()}, which is beyond "
            f"{tensor.dtype}"
        )


def _check_stored(tensor: TensorDescription, array: np.ndarray) -> None:
    if array.dtype.kind not in "iu":
        raise InputError(
            f"input {tensor.name!r} is of type {array.dtype}, run_raw takes stored {tensor.dtype}",
            hint="run takes real values; stored_inputs says what they are stored as",
        )
    _check_range(tensor, array)


def _stored(tensors: Sequence[TensorDescription], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [
        quantized(array, tensor.quantization, tensor.dtype) if tensor.quantization else array
        for tensor, array in zip(tensors, arrays, strict=True)
    ]
