"""scanlet: trained PyTorch state-space models on microcontrollers.

`compile` a model, `run` the result on the real TensorFlow Lite Micro interpreter, `save` it as a
complete project, `open` a saved one. `scanlet.nn` holds trainable modules (imports torch).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanlet.api import compile, open
from scanlet.compiled import Compiled
from scanlet.errors import (
    CalibrationError,
    EmitError,
    ExecutionError,
    GraphError,
    InputError,
    InvalidModelError,
    MissingToolError,
    ModelFileError,
    ProjectConflictError,
    RecognitionError,
    ScanletError,
    TargetError,
    UnsupportedModelError,
    VerificationError,
)
from scanlet.targets import Target
from scanlet.version import __version__

if TYPE_CHECKING:
    from scanlet import nn

__all__ = [
    "CalibrationError",
    "Compiled",
    "EmitError",
    "ExecutionError",
    "GraphError",
    "InputError",
    "InvalidModelError",
    "MissingToolError",
    "ModelFileError",
    "ProjectConflictError",
    "RecognitionError",
    "ScanletError",
    "Target",
    "TargetError",
    "UnsupportedModelError",
    "VerificationError",
    "__version__",
    "compile",
    "nn",
    "open",
]


def __getattr__(name: str) -> Any:
    if name == "nn":  # imports torch, so only on demand
        import importlib

        return importlib.import_module("scanlet.nn")
    raise AttributeError(f"module 'scanlet' has no attribute {name!r}")
