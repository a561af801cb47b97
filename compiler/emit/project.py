"""Render a project: an ESP-IDF application, firmware for a Cortex-M7, or the C library.

What belongs to the model lies in model/ and components/, with symbols in the namespace
`<name>_model`, so that a new compilation replaces it and two models link into one firmware. What
a person changes lies in main/: the skeleton of esp32_app/ as it is, and one header that names the
model. `component_only` leaves main/ and the build files alone.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scanlet.emit.c_text import c_array_body, c_float, c_string
from scanlet.emit.device_description import describe, serial_sources
from scanlet.emit.flatbuffer_reader import read_model
from scanlet.emit.library_project import (
    LibrarySpec,
    application_files,
    library_context,
    library_files,
)
from scanlet.emit.operator_table import CUSTOM_CODE, DEVICE_LIBRARY_VERSION
from scanlet.emit.report import report_html, report_json
from scanlet.emit.templates import render
from scanlet.errors import EmitError
from scanlet.resources import resource_dir
from scanlet.targets import Target
from scanlet.version import __version__

COMPONENT_DIR = "components/selective_ssm"
#: esp-tflite-micro asks only for >=1.1.1; large slow-downs are reported for 1.2 (issues 26, 36).
ESP_NN_VERSION = "1.1.2"
#: Golden vectors take flash on the device: samples are left out of the firmware from here on.
GOLDEN_FLASH_BYTES = 256 * 1024
_C_TYPES = {"float32": "float", "int8": "int8_t", "int16": "int16_t", "int32": "int32_t"}
#: Cores whose single-precision unit has a fused multiply-add.
_FUSED_ARCHITECTURES = ("xtensa", "arm")
#: Built unless the user has an input source of their own.
_NO_INPUT_SOURCE = "no_input_source.cc"

_MODEL_FILES = {
    f"model/{name}": f"project/{name}.j2"
    for name in (
        *("model_data.h", "model_data.cc", "model_config.h"),
        *("golden.h", "golden.cc", "operators.h", "operators.cc"),
    )
}
_IDF_FILES = {
    "CMakeLists.txt": "project/CMakeLists.txt.j2",
    "sdkconfig.defaults": "project/sdkconfig.defaults.j2",
    "partitions.csv": "project/partitions.csv.j2",
    "main/CMakeLists.txt": "project/main_CMakeLists.txt.j2",
    "main/idf_component.yml": "project/idf_component.yml.j2",
    "main/app_config.h": "project/app_config.h.j2",
}


@dataclass(frozen=True)
class TensorSpec:
    """An input or output as the flatbuffer stores it. Quantized: value = scale * (q - zero)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    @property
    def value(self) -> str:
        """How a stored integer is read, as "value = 0.02 * (stored + 5)"; empty for others."""
        if self.scale is None:
            return ""
        zero = self.zero_point or 0
        stored = f"(stored {'+' if zero < 0 else '-'} {abs(zero)})" if zero else "stored"
        return f"value = {np.float32(self.scale)!s} * {stored}"


@dataclass(frozen=True)
class ProjectSpec:
    """Everything that a project is rendered from.

    `name` prefixes the C symbols. `component` holds the operator's sources (path -> text; empty
    if the model has no generated operator), `resolver_methods` the methods of
    MicroMutableOpResolver for the builtin operators. `arena_bytes` is what the host's interpreter
    needed, `arena_margin_bytes` what a device gets in addition. Golden vectors: one tuple of
    arrays a sample, as stored in the tensors; `golden_tolerance` is absolute, in real values.
    `report` has the keys that `scanlet.emit.report` documents. `library` is the network as plain C
    for targets other than ESP-IDF's, whose self-test runs it.
    """

    name: str
    target: Target
    tflite: bytes = field(repr=False)
    component: Mapping[str, str] = field(repr=False)
    resolver_methods: Sequence[str]
    arena_bytes: int
    arena_margin_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    golden_inputs: Sequence[Sequence[np.ndarray]] = field(repr=False)
    golden_outputs: Sequence[Sequence[np.ndarray]] = field(repr=False)
    golden_tolerance: float
    labels: tuple[str, ...]
    mode: str
    report: Mapping[str, Any] = field(repr=False)
    library: LibrarySpec | None = None


def render_project(spec: ProjectSpec, *, component_only: bool = False) -> dict[str, bytes]:
    """Every file of the project: relative path -> content.

    `component_only` gives the operator component, the model and the reports alone. Raises
    EmitError if the specification contradicts itself.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", spec.name):
        raise EmitError(f"{spec.name!r} cannot prefix C symbols")
    context = _context(spec)
    texts = {path: render(template, context) for path, template in _MODEL_FILES.items()}
    if spec.component:
        texts |= {f"{COMPONENT_DIR}/{path}": text for path, text in spec.component.items()}
        texts[f"{COMPONENT_DIR}/CMakeLists.txt"] = render(
            "project/component_CMakeLists.txt.j2", context
        )
    if spec.library is not None:
        expected = _golden(spec, spec.library.expected_outputs)
        context = library_context(spec.library, context, expected)
        texts |= library_files(spec.library, context)
    if not component_only:
        texts["README.md"] = render("project/README.md.j2", context)
        if spec.library is not None:
            texts |= application_files(context)
        if spec.target.project == "esp-idf":
            texts |= {path: render(template, context) for path, template in _IDF_FILES.items()}
            texts |= {f"main/{path}": text for path, text in application_sources().items()}
            texts |= {f"main/serial/{name}": text for name, text in serial_sources().items()}
    files = {path: text.encode() for path, text in texts.items()}
    files["model/model.tflite"] = spec.tflite
    files["report.json"] = report_json(dict(spec.report))
    files["report.html"] = report_html(dict(spec.report))
    return files


def application_sources() -> dict[str, str]:
    """The skeleton application's files (esp32_app/), by name."""
    return {
        path.name: path.read_text("utf-8")
        for path in sorted(resource_dir("esp32_app").iterdir())
        if path.suffix in (".cc", ".h")
    }


def _context(spec: ProjectSpec) -> dict[str, Any]:
    golden = _golden(spec, spec.golden_outputs)
    component = sorted(path for path in spec.component if path.endswith((".c", ".cc")))
    return {
        "spec": spec,
        "name": spec.name,
        "target": spec.target,
        "version": __version__,
        "custom_code": CUSTOM_CODE,
        "tflm_version": DEVICE_LIBRARY_VERSION,
        "esp_nn_version": ESP_NN_VERSION,
        "fused": spec.target.has_fpu and spec.target.architecture in _FUSED_ARCHITECTURES,
        "component_sources": component,
        "app_sources": [
            name
            for name in application_sources()
            if name.endswith(".cc") and name != _NO_INPUT_SOURCE
        ],
        "no_input_source": _NO_INPUT_SOURCE,
        "serial_sources": [f"serial/{name}" for name in serial_sources() if name.endswith(".c")],
        "operator_count": len(read_model(spec.tflite).operators),
        "model_bytes": len(spec.tflite),
        "model_body": _bytes_body(spec.tflite),
        "model_crc32": f"0x{zlib.crc32(spec.tflite):08x}u",
        "golden": golden,
        "golden_left_out": len(spec.golden_inputs) - len(golden),
        "has_library": False,
        "c_types": _C_TYPES,
        "tolerance": c_float(spec.golden_tolerance),
        "c_name": c_string(spec.name),
        "c_target": c_string(spec.target.name),
        "c_mode": c_string(spec.mode),
        "c_version": c_string(__version__),
        "c_labels": [c_string(label) for label in spec.labels],
        "description_lines": [c_string(line + "\n") for line in describe(spec)],
        "labels": [" ".join(label.split()) for label in spec.labels],
    }


def _golden(spec: ProjectSpec, outputs: Sequence[Sequence[np.ndarray]]) -> list[dict[str, Any]]:
    """The samples that fit the flash set aside for them, with their `outputs`, as C arrays."""
    if len(spec.golden_inputs) != len(outputs):
        raise EmitError(f"{len(spec.golden_inputs)} golden inputs, {len(outputs)} golden outputs")
    sample_bytes = sum(tensor.nbytes for tensor in (*spec.inputs, *spec.outputs))
    count = min(len(spec.golden_inputs), GOLDEN_FLASH_BYTES // max(sample_bytes, 1))
    return [
        {
            "inputs": _c_arrays(spec.inputs, spec.golden_inputs[i], f"Input{i}"),
            "outputs": _c_arrays(spec.outputs, outputs[i], f"Output{i}"),
        }
        for i in range(count)
    ]


def _c_arrays(
    tensors: Sequence[TensorSpec], arrays: Sequence[np.ndarray], prefix: str
) -> list[dict[str, Any]]:
    if len(tensors) != len(arrays):
        raise EmitError(f"a golden sample has {len(arrays)} arrays for {len(tensors)} tensors")
    described = []
    for j, (tensor, array) in enumerate(zip(tensors, arrays, strict=True)):
        both_float = tensor.dtype == "float32" and np.issubdtype(array.dtype, np.floating)
        fits = both_float or str(array.dtype) == tensor.dtype
        if tensor.dtype not in _C_TYPES or not fits or array.shape != tensor.shape:
            raise EmitError(
                f"a golden array has shape {array.shape} and type {array.dtype}, the tensor "
                f"{tensor.name!r} {tensor.shape} and {tensor.dtype}"
            )
        stored = np.asarray(array, tensor.dtype)
        if both_float and not np.isfinite(stored).all():
            raise EmitError(f"a golden array of {tensor.name!r} holds NaN or infinity")
        described.append(
            {
                "name": f"k{prefix}_{j}",
                "c_name": f"{prefix.lower()}_{j}",
                "type": _C_TYPES[tensor.dtype],
                "size": stored.size,
                "body": c_array_body(stored),
            }
        )
    return described


def _bytes_body(data: bytes) -> str:
    text = [f"0x{byte:02x}" for byte in data]
    return "\n".join("    " + ", ".join(text[i : i + 16]) + "," for i in range(0, len(text), 16))
