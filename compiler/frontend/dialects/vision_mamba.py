"""Vision Mamba (Zhu et al. 2024): a second, backward set A_b_log, conv1d_b, ... in one mixer."""

from __future__ import annotations

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if not module.tensors.keys() & {"A_b_log", "conv1d_b.weight", "x_proj_b.weight"}:
        return None
    raise UnsupportedModelError(
        "a bidirectional Vision Mamba mixer (A_b_log, conv1d_b, x_proj_b, ...)",
        where=module.where,
        hint="use two mixers with flip and add, as scanlet.nn.Bidirectional does",
    )
