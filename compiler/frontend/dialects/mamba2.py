"""Mamba-2 (Dao and Gu 2024): A_log, D and dt_bias one value a head, and a gated norm."""

from __future__ import annotations

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    a_log = module.tensors.get("A_log")
    if a_log is None or a_log.ndim != 1 or "dt_bias" not in module.tensors:
        return None
    raise UnsupportedModelError(
        f"a Mamba-2 mixer ({a_log.shape[0]} heads, one decay a head)",
        where=module.where,
        hint="Mamba-1 mixers are supported; scanlet.nn.MambaMixer is a trainable one",
    )
