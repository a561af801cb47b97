"""Where the non-Python parts (templates, C sources, application skeleton) lie.

They are top-level folders of a checkout and sub-folders of the installed package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """The folder `name`: "templates", "tflm_ops" or "esp32_app"."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
