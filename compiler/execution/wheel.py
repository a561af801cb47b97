"""The pinned TFLM interpreter: the tflite-micro wheel whose ABI the generated operator knows."""

from __future__ import annotations

import ctypes
import functools
from importlib import import_module, metadata
from types import ModuleType

from scanlet.errors import MissingToolError

PINNED_VERSION = "0.dev20261023182759"
PACKAGE = "tflite_micro.python.tflite_micro"


def check_installed() -> None:
    """Raise MissingToolError if the wheel is not installed, or another version of it."""
    try:
        version = metadata.version("tflite-micro")
    except metadata.PackageNotFoundError as error:
        raise _missing("the TFLM interpreter (package tflite-micro) is not installed") from error
    if version != PINNED_VERSION:
        raise _missing(
            f"tflite-micro {version} is installed; the generated operator is built for the ABI of "
            f"{PINNED_VERSION}"
        )


def load_runtime() -> ModuleType:
    """The wheel's `runtime` module, its C++ symbols visible to operator libraries.

    Raises MissingToolError as `check_installed` does, or if it does not load. Native code that
    reads a model runs in a process of its own: see `worker`.
    """
    check_installed()
    try:
        return _import()
    except (ImportError, OSError) as error:
        raise _missing(f"the TFLM interpreter cannot be loaded: {error}") from error


@functools.cache
def _import() -> ModuleType:
    runtime = import_module(f"{PACKAGE}.runtime")
    # Python loads extensions with local symbols; operator libraries need the kernel API, and the
    # interpreter looks their registration functions up in the global scope.
    ctypes.CDLL(import_module(f"{PACKAGE}._runtime").__file__, mode=ctypes.RTLD_GLOBAL)
    return runtime


def _missing(what: str) -> MissingToolError:
    return MissingToolError(
        f"{what}; running and verifying on this machine is not possible",
        hint=f"pip install tflite-micro=={PINNED_VERSION} (wheels exist for Linux x86-64); "
        "compiling and saving the project works without it",
    )
