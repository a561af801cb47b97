"""How to get the same model again: the call, and the versions that took part."""

from __future__ import annotations

import hashlib
import inspect
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from scanlet.version import __version__

PACKAGES = ("torch", "numpy", "tflite-micro", "flatbuffers", "tflite", "jinja2", "matplotlib")
#: Where a project is written, or whether progress is shown, changes nothing in it.
_WITHOUT_EFFECT = ("progress", "output_dir")


def call_text(function: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """The call in Python with every argument that is not its default.

    Plain values are written out; a module or data is written under the argument's name.
    """
    words = []
    for name, parameter in inspect.signature(function).parameters.items():
        value = given[name]
        if value is parameter.default or name in _WITHOUT_EFFECT:
            continue
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            words.append(name)
        elif not _is_plain(value):
            words.append(f"{name}={name}")
        elif value != parameter.default:
            words.append(f"{name}={value!r}")
    return f"scanlet.{function.__name__}({', '.join(words)})"


def reproduction(call: str, tflite: bytes) -> dict[str, Any]:
    """Call, versions, and the digest by which the same flatbuffer is known."""
    versions = {"scanlet": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return {
        "call": call,
        "command": None,
        "model_sha256": hashlib.sha256(tflite).hexdigest(),
        "versions": versions,
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (str, int, float, bool))
