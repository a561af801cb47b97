"""Jamba's mixer (Lieber et al. 2024): Mamba-1's names and dt_/b_/c_layernorm, RMS with weights.

As in transformers' `JambaMambaMixer`: dt_layernorm.weight (R,), b_layernorm.weight (N,),
c_layernorm.weight (N,), one eps (rms_norm_eps).
"""

from __future__ import annotations

from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters
from scanlet.frontend.dialects.inner_norms import has_inner_norms, with_inner_norms

CHILDREN = ("dt_layernorm", "b_layernorm", "c_layernorm")


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if not has_inner_norms(module, CHILDREN[1:]):
        return None
    return with_inner_norms(module, "jamba", CHILDREN)
