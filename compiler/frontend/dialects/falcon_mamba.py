"""FalconMamba's mixer (Zuo et al. 2024): Mamba-1's names, and RMS norms on dt, B and C without
weights.

transformers 5.x holds them in dt_/b_/c_layernorm, whose "weights" are unused ones for a CUDA
kernel, dt's with d_inner elements; 4.x has no such children, but buffers dt_rms and b_c_rms of
ones and an attribute rms_eps.
"""

from __future__ import annotations

from dataclasses import replace

from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters, with_alternatives
from scanlet.frontend.dialects.inner_norms import (
    USUAL_EPSILONS,
    has_inner_norms,
    with_inner_norms,
)
from scanlet.frontend.dialects.jamba import CHILDREN
from scanlet.frontend.dialects.mamba_ssm import mixer_of

BUFFERS = frozenset({"dt_rms", "b_c_rms"})


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if "A_log" not in module.tensors:
        return None
    if module.tensors.keys() >= BUFFERS:
        plain = mixer_of(module, "falcon_mamba", without=BUFFERS)
        eps = module.settings.get("rms_eps")
        given = (eps,) if eps is not None else module.epsilons or USUAL_EPSILONS
        return with_alternatives([replace(plain, inner_norm_eps=value) for value in given])
    if not has_inner_norms(module, CHILDREN[1:]) or not _is_weightless(module):
        return None
    return with_inner_norms(module, "falcon_mamba", CHILDREN, weightless=True)


def _is_weightless(module: ModuleParameters) -> bool:
    """No weights, or dt's dummy of d_inner elements."""
    weights = [module.tensors.get(f"{child}.weight") for child in CHILDREN]
    if all(weight is None for weight in weights):
        return True
    dt_weight, a_log, dt_proj = (
        weights[0],
        module.tensors["A_log"],
        module.tensors.get("dt_proj.weight"),
    )
    return (
        dt_weight is not None
        and dt_weight.shape == a_log.shape[:1]
        and (dt_proj is None or dt_weight.shape != dt_proj.shape[1:])
    )
