"""mambapy's `MambaBlock`: Mamba-1's names; `inner_layernorms=True` adds dt_/B_/C_layernorm.

Its scans (`pscan` or a loop) and muP do not show in the parameters: they are the same function,
which the numerical comparison confirms.
"""

from __future__ import annotations

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters

INNER_NORMS = frozenset({"B_layernorm", "C_layernorm"})


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if "A_log" not in module.tensors or not INNER_NORMS & module.children:
        return None
    raise UnsupportedModelError(
        "a mambapy MambaBlock with inner_layernorms=True: the scan would need norms on dt, B and C",
        where=module.where,
        hint="train with inner_layernorms=False",
    )
