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
        hint="Mamba-1 mixers are supported; scanlet.nn.MambaMixer is a trainable one",
    )
