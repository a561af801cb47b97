"""Mamba-2 (Dao and Gu 2024) as `mamba_ssm`, transformers and mambapy name it, all alike.

With d_inner E, heads H, groups G, d_state N, d_conv K: in_proj.weight (2E + 2GN + H, d_model),
rows [z; x; B; C; dt]; conv1d.weight (E + 2GN, 1, K); dt_bias, A_log (H,); D (H,), or (E,) for
mamba_ssm's D_has_hdim; norm.weight (E,), absent with rmsnorm=False; out_proj.weight (d_out, E);
in_proj.bias, conv1d.bias and out_proj.bias are optional.

What the parameters leave open comes from the module's attributes (mamba_ssm: ngroups, dt_limit;
transformers: n_groups, time_step_limit; mambapy: config.n_groups, config.dt_limit; the norm's eps,
group_size and norm_before_gate), and where there are none, as in a program, from trying.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from scanlet.errors import RecognitionError, UnsupportedModelError
from scanlet.frontend.dialects.base import (
    AnyMixer,
    ModuleParameters,
    check_shape,
    with_alternatives,
)
from scanlet.frontend.dialects.inner_norms import USUAL_EPSILONS
from scanlet.frontend.mamba2_operator import MAMBA2_ARGUMENTS
from scanlet.nn.mamba2_functional import mamba2_mixer

REQUIRED = {
    "in_proj_weight": "in_proj.weight",
    "conv_weight": "conv1d.weight",
    "dt_bias": "dt_bias",
    "A_log": "A_log",
    "D": "D",
    "out_proj_weight": "out_proj.weight",
}
OPTIONAL = {
    "in_proj_bias": "in_proj.bias",
    "conv_bias": "conv1d.bias",
    "norm_weight": "norm.weight",
    "out_proj_bias": "out_proj.bias",
}
GROUPS = ("ngroups", "n_groups", "config.n_groups", "config.ngroups")
LIMITS = ("dt_limit", "time_step_limit", "config.dt_limit", "config.time_step_limit")


@dataclass(frozen=True)
class Mamba2Mixer(AnyMixer):
    """The arguments of `scanlet.nn.mamba2_mixer` after x, by name."""

    groups: int = 1
    norm_groups: int = 1
    norm_before_gate: bool = False
    norm_eps: float = 1e-5
    dt_min: float = 0.0
    dt_max: float | None = None

    OPERATOR: ClassVar[str] = "mamba2"
    ARGUMENTS: ClassVar[tuple[str, ...]] = MAMBA2_ARGUMENTS

    @property
    def settings(self) -> tuple[Any, ...]:
        return (
            *(self.groups, self.norm_groups, self.norm_before_gate, self.norm_eps),
            *(self.dt_min, self.dt_max),
        )

    def run(self, x: torch.Tensor) -> torch.Tensor:
        weights: list[Any] = [self.parameters[name] for name in self.ARGUMENTS]
        return mamba2_mixer(x, *weights, *self.settings)

    @property
    def d_model(self) -> int:
        return self._shape("in_proj_weight")[1]

    @property
    def d_inner(self) -> int:
        return self._shape("out_proj_weight")[1]

    @property
    def d_state(self) -> int:
        return (self._shape("conv_weight")[0] - self.d_inner) // (2 * self.groups)

    @property
    def d_conv(self) -> int:
        return self._shape("conv_weight")[-1]


def recognise(module: ModuleParameters) -> Mamba2Mixer | None:
    a_log = module.tensors.get("A_log")
    if a_log is None or a_log.ndim != 1 or "dt_bias" not in module.tensors:
        return None
    for name in REQUIRED.values():
        if name not in module.tensors:
            raise RecognitionError(
                f"looks like a Mamba-2 mixer ({a_log.shape[0]} heads), but has no parameter {name}",
                where=module.where,
                hint=f"Mamba-2 has {', '.join(REQUIRED.values())}",
            )
    names = {k: n for k, n in (REQUIRED | OPTIONAL).items() if n in module.tensors}
    _check_shapes(module)
    unknown = sorted(set(module.tensors) - set(names.values()))
    if unknown:
        raise RecognitionError(
            f"looks like a Mamba-2 mixer, but also has {', '.join(unknown)}",
            where=module.where,
            hint="initial states that are learnt, and other additions, are not supported; keep "
            "what surrounds the mixer in modules of their own",
        )
    arguments = (*REQUIRED, *OPTIONAL)
    return with_alternatives(
        [
            Mamba2Mixer(
                path=module.path,
                dialect="mamba2",
                parameters={a: module.tensors.get(names.get(a, "")) for a in arguments},
                names={argument: module.full_name(name) for argument, name in names.items()},
                **meaning,
            )
            for meaning in _meanings(module)
        ]
    )


def _meanings(module: ModuleParameters) -> list[dict[str, Any]]:
    """What the parameters may mean, the likeliest first."""
    settings = module.settings
    heads = module.tensors["A_log"].shape[0]
    d_inner = module.tensors["out_proj.weight"].shape[1]
    states = (module.tensors["conv1d.weight"].shape[0] - d_inner) // 2
    groups = [int(settings[name]) for name in GROUPS if name in settings]
    groups = groups[:1] or [g for g in range(1, heads + 1) if heads % g == 0 == states % g]
    limits = [
        (float(settings[f"{name}.0"]), float(settings[f"{name}.1"]))
        for name in LIMITS
        if f"{name}.0" in settings and f"{name}.1" in settings
    ]
    least, most = limits[0] if limits else (0.0, math.inf)
    found: list[dict[str, Any]] = []
    for count in groups:
        for norm in _norms(module, d_inner, count):
            limit = None if math.isinf(most) else most
            found.append({"groups": count, "dt_min": least, "dt_max": limit, **norm})
    return found


def _norms(module: ModuleParameters, d_inner: int, groups: int) -> list[dict[str, Any]]:
    """The gated norms that it may have."""
    if "norm.weight" not in module.tensors:
        return [{"norm_groups": 0}]
    settings = module.settings
    size = settings.get("norm.group_size")
    counts = [d_inner // int(size)] if size else list(dict.fromkeys([groups, 1]))
    before = [settings.get(n) for n in ("norm.norm_before_gate", "norm_before_gate")]
    orders = [bool(value) for value in before if value is not None][:1] or [False, True]
    eps = settings.get("norm.eps")
    epsilons = (eps,) if eps is not None else module.epsilons or USUAL_EPSILONS
    return [
        {"norm_groups": count, "norm_before_gate": order, "norm_eps": float(value)}
        for count, order, value in itertools.product(counts, orders, epsilons)
    ]


def _check_shapes(module: ModuleParameters) -> None:
    ranks = {"A_log": 1, "in_proj.weight": 2, "conv1d.weight": 3, "out_proj.weight": 2}
    for name, rank in ranks.items():
        tensor = module.tensors[name]
        if tensor.ndim != rank or tensor.numel() == 0:
            raise RecognitionError(
                f"parameter {name} has shape {tuple(tensor.shape)}, Mamba-2's has {rank} axes",
                where=module.full_name(name),
                hint="see the shapes of scanlet.nn.Mamba2Mixer, the form that is compiled",
            )
    a_log, in_proj, conv, out_proj = (module.tensors[name] for name in ranks)
    heads, channels, d_inner = a_log.shape[0], conv.shape[0], out_proj.shape[1]
    because = f"{heads} heads (from A_log), {d_inner} channels (from out_proj.weight)"
    if in_proj.shape[0] > d_inner + channels + heads:
        raise UnsupportedModelError(
            f"a Mamba-2 mixer with a gated MLP beside it (d_ssm {d_inner} is smaller than d_inner)",
            where=module.where,
            hint="build it with d_ssm=None, where all of d_inner goes through the scan",
        )
    if d_inner % heads or channels <= d_inner or (channels - d_inner) % 2:
        raise RecognitionError(
            f"looks like a Mamba-2 mixer, but {because} and {channels} channels of the convolution "
            "(from conv1d.weight) do not go together",
            where=module.where,
            hint="conv1d has d_inner + 2 groups d_state channels; the heads divide d_inner",
        )
    per_channel = module.tensors["D"].numel() == d_inner
    expected: dict[str, tuple[int, ...]] = {
        "in_proj.weight": (d_inner + channels + heads, in_proj.shape[1]),
        "conv1d.weight": (channels, 1, conv.shape[2]),
        "dt_bias": (heads,),
        "D": (d_inner if per_channel else heads,),
        "norm.weight": (d_inner,),
        "in_proj.bias": (d_inner + channels + heads,),
        "conv1d.bias": (channels,),
        "out_proj.bias": (out_proj.shape[0],),
    }
    for name, shape in expected.items():
        if name in module.tensors:
            check_shape(module, name, shape, because, "Mamba-2")
