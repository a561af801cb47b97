"""Gated DeltaNet (Yang et al. 2024), as in Qwen3-Next: A_log and dt_bias, but a matrix state."""

from __future__ import annotations

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters

QUERIES = frozenset({"q_proj.weight", "in_proj_qkvz.weight", "in_proj_qkv.weight"})


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if "A_log" not in module.tensors or not QUERIES & module.tensors.keys():
        return None
    raise UnsupportedModelError(
        "a gated delta rule (A_log beside query, key and value projections), no selective scan",
        where=module.where,
        hint="the nearest supported form is Mamba-1, such as scanlet.nn.MambaMixer",
    )
