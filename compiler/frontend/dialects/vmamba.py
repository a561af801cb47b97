"""VMamba's SS2D (Liu et al. 2024): four stacked scans over an image."""

from __future__ import annotations

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if not module.tensors.keys() & {"A_logs", "dt_projs_weight"}:
        return None
    raise UnsupportedModelError(
        "a VMamba SS2D mixer (stacked scans in four directions over an image)",
        where=module.where,
        hint="only one-dimensional sequences are supported, with Mamba-1 mixers",
    )
