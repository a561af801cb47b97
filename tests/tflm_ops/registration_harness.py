"""Nodes as an interpreter hands them to the registration, and the program that stands in for it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from operator_harness import compile_files, run_program

HERE = Path(__file__).parent
FLOAT32, INT32, INT16, INT8 = 1, 2, 7, 9  # of TfLiteType
DTYPES = {FLOAT32: "float32", INT32: "int32", INT16: "int16", INT8: "int8"}
NO_MEMORY, ALIGNED, ODD_ADDRESS = range(3)


@dataclass(frozen=True)
class Tensor:
    """As the fake interpreter reads it; `shape` None: the tensor has no dims."""

    shape: tuple[int, ...] | None
    data: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    type: int = FLOAT32
    memory: int = ALIGNED

    def to_bytes(self) -> bytes:
        shape = (-1,) if self.shape is None else (len(self.shape), *self.shape)
        dtype = DTYPES.get(self.type, "float32")
        data = self.data.astype(dtype).tobytes() if self.memory else b""
        return np.array([self.type, *shape, self.memory, len(data)], np.int32).tobytes() + data


@dataclass(frozen=True)
class Call:
    """A node, and how often it is invoked (0: only prepared)."""

    options: bytes
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    calls: int = 0

    def to_bytes(self) -> bytes:
        parts = [struct.pack("<ii", self.calls, len(self.options)), self.options]
        for tensors in (self.inputs, self.outputs):
            parts += [struct.pack("<i", len(tensors)), *(t.to_bytes() for t in tensors)]
        return b"".join(parts)


@dataclass(frozen=True)
class Result:
    status: int
    scratch_bytes: int
    persistent_bytes: int
    data: bytes  # of the outputs of all calls
    message: str

    @property
    def outputs(self) -> np.ndarray:
        return np.frombuffer(self.data, np.float32)


def build_interpreter(component: Mapping[str, str]) -> Path:
    """The program that runs nodes of the component "model", with sanitizers."""
    files = dict(component)
    files["fake_interpreter.cc"] = (HERE / "fake_interpreter.cc").read_text("utf-8")
    checked = "-g -fsanitize=address,undefined -fno-sanitize-recover -ffp-contract=off"
    registerer = "-DSCANLET_HOST_REGISTERER=append_operator"
    sources = "fake_interpreter.cc selective_ssm_model_registration.cc model.o"
    command = (
        f"gcc -std=c11 {checked} -c selective_ssm_model.c -o model.o && "
        f"g++ -std=c++17 {checked} {registerer} {sources} -o program"
    )
    return compile_files(files, ["sh", "-c", command]) / "program"


def run(interpreter: Path, *nodes: Call) -> list[Result]:
    data = struct.pack("<i", len(nodes)) + b"".join(node.to_bytes() for node in nodes)
    results = []
    for line in run_program(interpreter, data).decode().splitlines():
        status, scratch, persistent, outputs, message = line.split(" ", 4)
        numbers = int(status), int(scratch), int(persistent)
        results.append(Result(*numbers, bytes.fromhex(outputs), message))
    assert len(results) == len(nodes)
    return results


def refusal(interpreter: Path, node: Call) -> str:
    (result,) = run(interpreter, node)
    assert result.status != 0
    assert result.message.startswith("SELECTIVE_SSM: ")
    return result.message
