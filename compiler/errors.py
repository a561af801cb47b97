"""Every error scanlet raises on purpose.

Each message answers three questions: what was found, where, and what to do about it.
"""

from __future__ import annotations


class ScanletError(Exception):
    """Base class of all errors that scanlet raises on purpose."""

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.message = message
        self.where = where
        self.hint = hint
        parts = [f"{where}: {message}" if where else message]
        if hint:
            parts.append(f"What to do: {hint}")
        super().__init__("\n".join(parts))


class InvalidModelError(ScanletError):
    """The model itself is not fit to compile (training mode, NaN weights, odd parameters)."""


class UnsupportedModelError(ScanletError):
    """The model uses something that cannot be lowered; names module, operator, source line."""


class RecognitionError(InvalidModelError):
    """A mixer looked like a known dialect, but its parameters or its outputs say otherwise."""


class InputError(ScanletError):
    """An argument or an input array has the wrong type, shape or value."""


class CalibrationError(ScanletError):
    """The calibration data cannot tell the ranges of the model's values (none, NaN, infinite)."""


class TargetError(ScanletError):
    """An unknown target, or a model that does not fit the target's memory."""


class GraphError(ScanletError):
    """The intermediate graph is inconsistent (a defect of a pass or of a hand-made graph)."""


class EmitError(ScanletError):
    """Writing the result failed; nothing was left half-written."""


class ProjectConflictError(EmitError):
    """A file in the output directory was edited by a person and would be overwritten."""


class ModelFileError(ScanletError):
    """A .pt2, .tflite, project or checkpoint file is damaged, incomplete or of another version."""


class ExecutionError(ScanletError):
    """Building or running the compiled model failed."""


class DeviceError(ExecutionError):
    """A board does not answer, refuses a request, or serves another model than expected."""


class MissingToolError(ExecutionError):
    """A compiler, an emulator or a package that this step needs is not installed."""


class VerificationError(ScanletError):
    """The compiled model deviates from PyTorch by more than the tolerance."""


class ScanletWarning(UserWarning):
    """The result is right, but likely not what was wanted: larger or slower than need be."""
