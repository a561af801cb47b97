"""What a device answers when it is asked what it serves, and the sources of its server.

`scanlet.execution.device.description` reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from scanlet.resources import resource_dir
from scanlet.version import __version__

if TYPE_CHECKING:
    from scanlet.emit.project import ProjectSpec


def describe(spec: ProjectSpec) -> Iterator[str]:
    """Lines of key=value: the model and the hash of its flatbuffer, tensors, class names."""
    yield f"model={spec.name}"
    yield f"model_sha256={hashlib.sha256(spec.tflite).hexdigest()}"
    yield f"target={spec.target.name}"
    yield f"runs={'library' if spec.library is not None else 'tflm'}"
    yield f"mode={spec.mode}"
    yield f"precision={spec.report['precision']}"
    yield f"generator=scanlet {__version__}"
    stream = spec.report["stream"]
    if stream is not None:
        yield f"chunk={stream['chunk']}"
    for kind, tensors in (("input", spec.inputs), ("output", spec.outputs)):
        for i, tensor in enumerate(tensors):
            yield f"{kind}{i}.name={' '.join(tensor.name.split())}"
            yield f"{kind}{i}.shape={'x'.join(map(str, tensor.shape))}"
            yield f"{kind}{i}.dtype={tensor.dtype}"
            if tensor.scale is not None:
                yield f"{kind}{i}.scale={np.float32(tensor.scale)!s}"
                yield f"{kind}{i}.zero_point={tensor.zero_point or 0}"
            if stream is not None and stream[f"{kind}s"][i] is not None:
                yield f"{kind}{i}.time_axis={stream[f'{kind}s'][i]}"
    for i, label in enumerate(spec.labels):
        yield f"label{i}={' '.join(label.split())}"


def serial_sources() -> dict[str, str]:
    """The protocol and its server in plain C: name -> text."""
    return {
        path.name: path.read_text("utf-8")
        for path in sorted((resource_dir("templates") / "serial").iterdir())
        if path.suffix in (".c", ".h")
    }
