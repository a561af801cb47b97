"""Mamba-1 as `mamba_ssm`'s `Mamba` names it; `scanlet.nn.MambaMixer` and most others follow.

With d_inner E, d_state N, dt_rank R, d_conv K: in_proj.weight (2E, d_model), conv1d.weight
(E, 1, K), x_proj.weight (R + 2N, E), dt_proj.weight (E, R) and .bias (E,), A_log (E, N), D (E,),
out_proj.weight (d_out, E); in_proj.bias, conv1d.bias and out_proj.bias are optional.
"""

from __future__ import annotations

from scanlet.errors import RecognitionError
from scanlet.frontend.dialects.base import CanonicalMixer, ModuleParameters, check_shape

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
ARGUMENTS = (
    "in_proj_weight",
    "in_proj_bias",
    "conv_weight",
    "conv_bias",
    "x_proj_weight",
    "dt_proj_weight",
    "dt_proj_bias",
    "A_log",
    "D",
    "out_proj_weight",
    "out_proj_bias",
)
#: Any two of these make a module look like a mixer, so that a missing part is an error.
TELLING = ("A_log", "x_proj.weight", "dt_proj.weight", "dt_proj.bias")


def recognise(module: ModuleParameters, dialect: str = "mamba_ssm") -> CanonicalMixer | None:
    if sum(name in module.tensors for name in TELLING) < 2:
        return None
    for name in REQUIRED.values():
        if name not in module.tensors:
            raise RecognitionError(
                f"looks like a Mamba-1 mixer, but has no parameter {name}",
                where=module.where,
                hint=f"Mamba-1 has {', '.join(REQUIRED.values())}",
            )
    names = {**REQUIRED, **{k: n for k, n in OPTIONAL.items() if n in module.tensors}}
    _check_shapes(module)
    unknown = sorted(set(module.tensors) - set(names.values()))
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


def _check_shapes(module: ModuleParameters) -> None:
    a_log, in_proj, conv = (module.tensors[n] for n in ("A_log", "in_proj.weight", "conv1d.weight"))
    dt_proj, out_proj = module.tensors["dt_proj.weight"], module.tensors["out_proj.weight"]
    for name, tensor, rank in (
        ("A_log", a_log, 2),
        ("in_proj.weight", in_proj, 2),
        ("conv1d.weight", conv, 3),
        ("dt_proj.weight", dt_proj, 2),
        ("out_proj.weight", out_proj, 2),
    ):
        if tensor.ndim != rank or tensor.numel() == 0:
            raise RecognitionError(
                f"parameter {name} has shape {tuple(tensor.shape)}, Mamba-1's has {rank} axes",
                where=module.full_name(name),
            )
    d_inner, d_state = a_log.shape
    dt_rank = dt_proj.shape[1]
    because = f"d_inner {d_inner} and d_state {d_state} (from A_log)"
    check_shape(module, "in_proj.weight", (2 * d_inner, in_proj.shape[1]), because)
    check_shape(module, "conv1d.weight", (d_inner, 1, conv.shape[2]), because)
    check_shape(module, "dt_proj.weight", (d_inner, dt_rank), because)
    check_shape(
        module,
        "x_proj.weight",
        (dt_rank + 2 * d_state, d_inner),
        f"{because} with dt_rank {dt_rank} (from dt_proj.weight)",
    )
    check_shape(module, "out_proj.weight", (out_proj.shape[0], d_inner), because)
    vectors = {
        "D": d_inner,
        "dt_proj.bias": d_inner,
        "conv1d.bias": d_inner,
        "in_proj.bias": 2 * d_inner,
        "out_proj.bias": out_proj.shape[0],
    }
    for name, size in vectors.items():
        if name in module.tensors:
            check_shape(module, name, (size,), because)
