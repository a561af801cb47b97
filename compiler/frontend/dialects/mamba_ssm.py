"""Mamba-1 as `mamba_ssm`'s `Mamba` names it; `scanlet.nn.MambaMixer` and most others follow.

With d_inner E, d_state N, dt_rank R, d_conv K: in_proj.weight (2E, d_model), conv1d.weight
(E, 1, K), x_proj.weight (R + 2N, E), dt_proj.weight (E, R) and .bias (E,), A_log (E, N), D (E,),
out_proj.weight (d_out, E); in_proj.bias, conv1d.bias and out_proj.bias are optional.
"""

from __future__ import annotations

from collections.abc import Mapping

from scanlet.errors import RecognitionError
from scanlet.frontend.dialects.base import (
    ARGUMENTS,
    CanonicalMixer,
    ModuleParameters,
    check_shape,
)

REQUIRED = {
    "in_proj_weight": "in_proj.weight",
    "conv_weight": "conv1d.weight",
    "x_proj_weight": "x_proj.weight",
    "dt_proj_weight": "dt_proj.weight",
    "dt_proj_bias": "dt_proj.bias",
    "A_log": "A_log",
    "D": "D",
    "out_proj_weight": "out_proj.weight",
}
OPTIONAL = {
    "in_proj_bias": "in_proj.bias",
    "conv_bias": "conv1d.bias",
    "out_proj_bias": "out_proj.bias",
}
#: Any two of these make a module look like a mixer, so that a missing part is an error.
TELLING = ("A_log", "x_proj.weight", "dt_proj.weight", "dt_proj.bias")


def recognise(module: ModuleParameters) -> CanonicalMixer | None:
    return mixer_of(module, "mamba_ssm") if looks_like_a_mixer(module) else None


def looks_like_a_mixer(module: ModuleParameters) -> bool:
    return sum(name in module.tensors for name in TELLING) >= 2


def mixer_of(
    module: ModuleParameters,
    dialect: str,
    renamed: Mapping[str, str] | None = None,
    without: frozenset[str] = frozenset(),
) -> CanonicalMixer:
    """The mixer whose parameters the module holds.

    `renamed` gives the module's own name for one of Mamba-1's; `without` are tensors that are
    dealt with elsewhere. Raises RecognitionError for a parameter that is missing, misshapen or
    more than a mixer has.
    """
    stored = {name: name for name in (*REQUIRED.values(), *OPTIONAL.values())} | dict(renamed or {})
    for name in REQUIRED.values():
        if stored[name] not in module.tensors:
            raise RecognitionError(
                f"looks like a Mamba-1 mixer, but has no parameter {stored[name]}",
                where=module.where,
                hint=f"Mamba-1 has {', '.join(REQUIRED.values())}",
            )
    names = {k: stored[n] for k, n in REQUIRED.items()}
    names |= {k: stored[n] for k, n in OPTIONAL.items() if stored[n] in module.tensors}
    _check_shapes(module, stored)
    unknown = sorted(set(module.tensors) - set(names.values()) - without)
    if unknown:
        raise RecognitionError(
            f"looks like a Mamba-1 mixer, but also has {', '.join(unknown)}",
            where=module.where,
            hint="keep what surrounds the mixer (norms, scales, gates) in modules of their own",
        )
    return CanonicalMixer(
        path=module.path,
        dialect=dialect,
        parameters={a: module.tensors[names[a]] if a in names else None for a in ARGUMENTS},
        names={argument: module.full_name(name) for argument, name in names.items()},
    )


def _check_shapes(module: ModuleParameters, stored: Mapping[str, str]) -> None:
    ranks = {"A_log": 2, "in_proj.weight": 2, "conv1d.weight": 3}
    ranks |= {"dt_proj.weight": 2, "out_proj.weight": 2}
    for name, rank in ranks.items():
        tensor = module.tensors[stored[name]]
        if tensor.ndim != rank or tensor.numel() == 0:
            raise RecognitionError(
                f"parameter {stored[name]} has shape {tuple(tensor.shape)}, Mamba-1's has {rank} "
                "axes",
                where=module.full_name(stored[name]),
                hint="see the shapes of scanlet.nn.MambaMixer, the form that is compiled",
            )
    a_log, in_proj, conv, dt_proj, out_proj = (module.tensors[stored[name]] for name in ranks)
    d_inner, d_state = a_log.shape
    dt_rank = dt_proj.shape[1]
    because = f"d_inner {d_inner} and d_state {d_state} (from {stored['A_log']})"
    with_rank = f"{because} with dt_rank {dt_rank} (from {stored['dt_proj.weight']})"
    expected: dict[str, tuple[tuple[int, ...], str]] = {
        "in_proj.weight": ((2 * d_inner, in_proj.shape[1]), because),
        "conv1d.weight": ((d_inner, 1, conv.shape[2]), because),
        "dt_proj.weight": ((d_inner, dt_rank), because),
        "x_proj.weight": ((dt_rank + 2 * d_state, d_inner), with_rank),
        "out_proj.weight": ((out_proj.shape[0], d_inner), because),
        "D": ((d_inner,), because),
        "dt_proj.bias": ((d_inner,), because),
        "conv1d.bias": ((d_inner,), because),
        "in_proj.bias": ((2 * d_inner,), because),
        "out_proj.bias": ((out_proj.shape[0],), because),
    }
    for name, (shape, why) in expected.items():
        if stored[name] in module.tensors:
            check_shape(module, stored[name], shape, why)
