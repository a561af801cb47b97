"""Jamba's mixer: Mamba-1's names and norms on the outputs of x_proj (dt_/b_/c_layernorm).

FalconMamba's inner norms have no weights and do not show in the names; the numerical comparison
refuses them.
"""

from __future__ import annotations

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters

INNER_NORMS = frozenset({"b_layernorm", "c_layernorm"})


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if "A_log" not in module.tensors or not INNER_NORMS & module.children:
        return None
    raise UnsupportedModelError(
        "a Jamba mixer: Mamba-1 with norms on dt, B and C inside the scan",
        where=module.where,
        hint="use a plain Mamba-1 mixer such as scanlet.nn.MambaMixer",
    )
