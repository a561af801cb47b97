"""mambapy's `MambaBlock`: Mamba-1's names; `inner_layernorms=True` adds dt_/B_/C_layernorm, RMS
norms with weights, or without in a muP model.

Its scans (`pscan` or a loop) do not show in the parameters: they are the same function, which the
numerical comparison confirms.
"""

from __future__ import annotations

from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters
from scanlet.frontend.dialects.inner_norms import has_inner_norms, with_inner_norms

CHILDREN = ("dt_layernorm", "B_layernorm", "C_layernorm")


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if not has_inner_norms(module, CHILDREN[1:]):
        return None
    return with_inner_norms(module, "mambapy", CHILDREN)
