"""What a board says that it serves: the text that `scanlet.emit.device_description` wrote."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scanlet.emit.model_description import TensorDescription
from scanlet.errors import DeviceError
from scanlet.graph import Quantization
from scanlet.passes import StreamShape

_DTYPES = ("float32", "int8", "int16", "int32")


@dataclass(frozen=True)
class DeviceInfo:
    """The model on a board. `model_sha256` is the hash of its flatbuffer, model/model.tflite.

    `runs` is what computes: "tflm" (TensorFlow Lite Micro) or "library" (the generic C library).
    """

    model: str
    model_sha256: str
    target: str
    runs: str
    mode: str
    precision: str
    generator: str
    inputs: tuple[TensorDescription, ...] = field(repr=False)
    outputs: tuple[TensorDescription, ...] = field(repr=False)
    labels: tuple[str, ...]
    stream: StreamShape | None = None

    @property
    def input_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.inputs)

    @property
    def output_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.outputs)


def parse(text: str, where: str = "") -> DeviceInfo:
    """Read the answer to hello. Raises DeviceError naming the entry that is missing or odd."""
    entries = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        inputs, outputs = (_tensors(entries, kind) for kind in ("input", "output"))
        if not inputs or not outputs:
            raise KeyError("input0" if not inputs else "output0")
        return DeviceInfo(
            **{
                name: entries[name]
                for name in (
                    *("model", "model_sha256", "target", "runs", "mode", "precision", "generator"),
                )
            },
            inputs=inputs,
            outputs=outputs,
            labels=tuple(_numbered(entries, "label{}")),
            stream=_stream(entries, len(inputs), len(outputs)),
        )
    except (KeyError, ValueError) as error:
        raise DeviceError(
            f"what the board says of its model is odd: {error}",
            where=where,
            hint="generate the project again with this scanlet, and flash it",
        ) from error


def _numbered(entries: dict[str, str], key: str) -> list[str]:
    found: list[str] = []
    while (value := entries.get(key.format(len(found)))) is not None:
        found.append(value)
    return found


def _tensors(entries: dict[str, str], kind: str) -> tuple[TensorDescription, ...]:
    count = len(_numbered(entries, kind + "{}.shape"))
    return tuple(_tensor(entries, f"{kind}{i}", i) for i in range(count))


def _tensor(entries: dict[str, str], key: str, index: int) -> TensorDescription:
    shape = tuple(int(size) for size in entries[f"{key}.shape"].split("x"))
    dtype = entries[f"{key}.dtype"]
    if dtype not in _DTYPES or min(shape) < 1:
        raise ValueError(f"{key} is {dtype} {shape}")
    quantization = None
    if f"{key}.scale" in entries:
        scale = float(np.float32(entries[f"{key}.scale"]))
        quantization = Quantization((scale,), (int(entries[f"{key}.zero_point"]),))
    return TensorDescription(index, entries[f"{key}.name"], shape, dtype, quantization=quantization)


def _stream(entries: dict[str, str], inputs: int, outputs: int) -> StreamShape | None:
    if entries["mode"] != "stream":
        return None
    chunk = int(entries["chunk"])
    axes = [
        tuple(
            int(entries[key]) if (key := f"{kind}{i}.time_axis") in entries else None
            for i in range(count)
        )
        for kind, count in (("input", inputs), ("output", outputs))
    ]
    return StreamShape(axes[0], axes[1], chunk=chunk, least=chunk, captured=chunk)
