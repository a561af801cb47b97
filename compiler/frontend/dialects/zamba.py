"""Zamba (Glorioso et al. 2024): Mamba-1's recurrence with x_proj and dt_proj split into heads."""

from __future__ import annotations

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if not module.tensors.keys() >= {"A_log", "x_proj_weight", "dt_proj_weight"}:
        return None
    heads = module.tensors["x_proj_weight"].shape[0]
    raise UnsupportedModelError(
        f"a Zamba mixer (x_proj_weight and dt_proj_weight with {heads} heads)",
        where=module.where,
        hint="the nearest supported form is Mamba-1, one x_proj over all channels, as "
        "scanlet.nn.MambaMixer has it",
    )
