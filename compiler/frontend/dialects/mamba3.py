"""Mamba-3: biases on B and C, a rotation of the state, no convolution."""

from __future__ import annotations

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if not module.tensors.keys() >= {"dt_bias", "B_bias", "C_bias"}:
        return None
    raise UnsupportedModelError(
        "a Mamba-3 mixer (biases on B and C, rotated state)",
        where=module.where,
        hint="the nearest supported form is Mamba-1, such as scanlet.nn.MambaMixer, which has a "
        "convolution in place of the biases and real states",
    )
