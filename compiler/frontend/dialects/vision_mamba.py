"""Vision Mamba (Zhu et al. 2024, arXiv:2401.09417), `bimamba_type="v2"`: two scans in one mixer.

in_proj and out_proj are shared; the backward scan has A_b_log, D_b, conv1d_b, x_proj_b and
dt_proj_b of its own and runs over the reversed sequence. out_proj is linear, so that the mixer is
the sum of two Mamba-1 mixers, one of them between flips; out_proj's bias counts once, and
`if_divide_out` halves the weight of both.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from scanlet.errors import UnsupportedModelError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters, with_alternatives
from scanlet.frontend.dialects.mamba_ssm import mixer_of

#: Mamba-1's name of each tensor, and that of the backward scan's.
BACKWARD = {
    "A_log": "A_b_log",
    "D": "D_b",
    "conv1d.weight": "conv1d_b.weight",
    "conv1d.bias": "conv1d_b.bias",
    "x_proj.weight": "x_proj_b.weight",
    "dt_proj.weight": "dt_proj_b.weight",
    "dt_proj.bias": "dt_proj_b.bias",
}
#: Telling parts of the backward set.
TELLING = ("conv1d_b.weight", "x_proj_b.weight", "dt_proj_b.weight")


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    if not any(name in module.tensors for name in TELLING):
        if "A_b_log" in module.tensors:
            raise UnsupportedModelError(
                "a Vision Mamba mixer of the first kind (bimamba_type='v1': A_b_log, but the "
                "convolution and the projections of the forward scan)",
                where=module.where,
                hint="bimamba_type='v2' is supported; so are two mixers with flip and add, as "
                "scanlet.nn.Bidirectional does",
            )
        return None
    forward = mixer_of(module, "vision_mamba", without=frozenset(BACKWARD.values()))
    backward = mixer_of(module, "vision_mamba", BACKWARD, without=frozenset(BACKWARD))
    divided = module.settings.get("if_divide_out")
    choices = (False, True) if divided is None else (bool(divided),)
    return with_alternatives([_both(forward, backward, halve) for halve in choices])


def _both(forward: CanonicalMixer, backward: CanonicalMixer, halve: bool) -> CanonicalMixer:
    weight = forward.parameters["out_proj_weight"]
    assert weight is not None
    shared: dict[str, torch.Tensor | None] = {
        "out_proj_weight": 0.5 * weight.detach() if halve else weight
    }
    without_bias = {k: name for k, name in backward.names.items() if k != "out_proj_bias"}
    return replace(
        forward,
        parameters=forward.parameters | shared,
        backward=replace(
            backward,
            parameters=backward.parameters | shared | {"out_proj_bias": None},
            names=without_bias,
        ),
    )
