"""What dialects with norms on dt, B and C share: where weights and epsilons come from."""

from __future__ import annotations

from dataclasses import replace

import torch

from scanlet.errors import RecognitionError, UnsupportedModelError
from scanlet.frontend.dialects.base import (
    CanonicalMixer,
    ModuleParameters,
    check_shape,
    with_alternatives,
)
from scanlet.frontend.dialects.mamba_ssm import mixer_of

#: Tried where neither the module nor the program tells it: those of mambapy, Jamba and nn.RMSNorm.
USUAL_EPSILONS = (1e-5, 1e-6, float(torch.finfo(torch.float32).eps))
ARGUMENTS = ("dt_norm_weight", "b_norm_weight", "c_norm_weight")


def has_inner_norms(module: ModuleParameters, children: tuple[str, ...]) -> bool:
    return "A_log" in module.tensors and bool(set(children) & module.children)


def with_inner_norms(
    module: ModuleParameters,
    dialect: str,
    children: tuple[str, str, str],
    weightless: bool = False,
) -> CanonicalMixer:
    """The mixer with RMS norms in the children that are named for dt, B and C.

    Their weights are those of the children, or none: if `weightless`, what they hold is unused.
    Raises RecognitionError for a norm that is missing, misshapen or no RMS norm.
    """
    missing = sorted(set(children) - module.children)
    if missing:
        raise RecognitionError(
            f"looks like a {dialect} mixer, but has no {', '.join(missing)}",
            where=module.where,
            hint=f"norms are expected on dt, B and C alike ({', '.join(children)}), or on none",
        )
    inside = frozenset(n for n in module.tensors if n.partition(".")[0] in children)
    odd = sorted(name for name in inside if not name.endswith(".weight"))
    if odd:
        raise RecognitionError(
            f"looks like a {dialect} mixer, but also has {', '.join(odd)}",
            where=module.where,
            hint="the norms on dt, B and C are RMS norms with a weight or none, without a bias",
        )
    plain = mixer_of(module, dialect, without=inside)
    parameters, names = dict(plain.parameters), dict(plain.names)
    for argument, child, size in zip(
        ARGUMENTS, children, (plain.dt_rank, plain.d_state, plain.d_state), strict=True
    ):
        name = f"{child}.weight"
        if weightless or name not in module.tensors:
            continue
        check_shape(module, name, (size,), f"the norm of {size} rows of x_proj's output")
        parameters[argument], names[argument] = module.tensors[name], module.full_name(name)
    epsilons = _epsilons(module, children)
    return with_alternatives(
        [replace(plain, parameters=parameters, names=names, inner_norm_eps=eps) for eps in epsilons]
    )


def _epsilons(module: ModuleParameters, children: tuple[str, str, str]) -> tuple[float, ...]:
    found = [module.settings.get(f"{child}.eps") for child in children]
    given = {eps for eps in found if eps is not None}
    if len(given) > 1:
        raise UnsupportedModelError(
            "norms on dt, B and C with different eps: "
            + ", ".join(f"{c} {e:g}" for c, e in zip(children, found, strict=True) if e),
            where=module.where,
            hint="the three norms share one eps in every published model",
        )
    return tuple(given) or module.epsilons or USUAL_EPSILONS
