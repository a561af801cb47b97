"""scanlet: trained PyTorch state-space models on microcontrollers.

`compile` a model, `run` the result on the real TensorFlow Lite Micro interpreter, `save` it as a
complete project, `open` a saved one. `load` makes a module of a checkpoint on disk, and
`scanlet.nn` holds trainable modules (both import torch).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanlet.api import compile, open
from scanlet.compiled import Compiled
from scanlet.errors import (
    CalibrationError,
    DeviceError,
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
    ScanletWarning,
    TargetError,
    UnsupportedModelError,
    VerificationError,
)
from scanlet.execution.device.board import Device
from scanlet.passes import ExponentialMean
from scanlet.targets import Target
from scanlet.version import __version__

if TYPE_CHECKING:
    from scanlet import nn
    from scanlet.checkpoints import CheckpointWarning, load

__all__ = [
    "CalibrationError",
    "CheckpointWarning",
    "Compiled",
    "Device",
    "DeviceError",
    "EmitError",
    "ExecutionError",
    "ExponentialMean",
    "GraphError",
    "InputError",
    "InvalidModelError",
    "MissingToolError",
    "ModelFileError",
    "ProjectConflictError",
    "RecognitionError",
    "ScanletError",
    "ScanletWarning",
    "Target",
    "TargetError",
    "UnsupportedModelError",
    "VerificationError",
    "__version__",
    "compile",
    "load",
    "nn",
    "open",
]


#: Import torch, so only on demand: name -> its module, and whether it is the module itself.
_LAZY = {
    "nn": ("scanlet.nn", True),
    "load": ("scanlet.checkpoints", False),
    "CheckpointWarning": ("scanlet.checkpoints", False),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'scanlet' has no attribute {name!r}")
    import importlib

    module_name, itself = _LAZY[name]
    module = importlib.import_module(module_name)
    return module if itself else getattr(module, name)
