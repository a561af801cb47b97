"""Kind: Mamba-2 (Dao and Gu 2024, arXiv:2405.21060) of mamba_ssm, Hugging Face and mambapy.

Names are those of the Mamba-1 kinds, with other parameters in the mixers: A_log and dt_bias with
one value a head, and norm.weight. config.json (mamba_ssm within ssm_cfg): ngroups or n_groups,
which no shape tells; headdim, dt_limit or time_step_limit, norm_before_gate.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Any

from torch import Tensor

from scanlet.checkpoints import hugging_face, mamba_ssm, mambapy
from scanlet.checkpoints.checkpoint import Blank, Checkpoint
from scanlet.checkpoints.config import Config
from scanlet.checkpoints.language_model import Layout
from scanlet.checkpoints.language_model import build as build_model
from scanlet.errors import InputError, ModelFileError, UnsupportedModelError
from scanlet.nn import Mamba2Mixer

#: Without these a mixer's shape cannot be told: name -> axes.
TELLING = {"A_log": 1, "in_proj.weight": 2, "conv1d.weight": 3, "out_proj.weight": 2}
LAYOUTS: tuple[Layout, ...] = (
    *hugging_face.LAYOUTS,
    *mamba_ssm.LAYOUTS,
    *(mambapy.LANGUAGE_MODEL, mambapy.WITH_NORM, mambapy.BLOCKS),
)
#: Of the gated norm in mamba_ssm and mambapy; in transformers it is that of all norms.
GATED_EPS = 1e-5


def recognise(names: Collection[str]) -> bool:
    ends = {name.rpartition(".")[2] for name in names}
    return ends >= {"A_log", "dt_bias"} and not any(n.endswith("dt_proj.weight") for n in names)


def build(checkpoint: Checkpoint) -> Blank:
    names = checkpoint.tensors
    if "A_log" in names:
        options, _ = options_of(checkpoint, "", default_inner_eps=GATED_EPS)
        return Blank("a Mamba-2 mixer", Mamba2Mixer(**options), d_model=options["d_model"])
    for layout in LAYOUTS:
        embedded = not layout.embedding or f"{layout.embedding}.weight" in names
        if embedded and layout.recognise(names):
            made = build_model(layout, checkpoint, mixer_class=Mamba2Mixer, options_of=options_of)
            kind = made.kind.replace("Mamba ", "Mamba-2 ")
            kind = kind if kind != made.kind else f"{kind} with Mamba-2 mixers"
            return Blank(kind, made.module, made.names, made.d_model, made.unused)
    heads = next(t.numel() for n, t in names.items() if n.endswith("A_log"))
    raise UnsupportedModelError(
        f"recognised a Mamba-2 checkpoint ({heads} heads), but not what is around its mixers",
        where=checkpoint.where,
        hint="build the model in its own code and hand the module to scanlet.compile",
    )


def options_of(
    checkpoint: Checkpoint, prefix: str, *, default_inner_eps: float
) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments of `Mamba2Mixer`; no name differs. See `mixer.options_of`."""
    config, inside = checkpoint.config, _inside(checkpoint, prefix)
    heads, channels = inside["A_log"].shape[0], inside["conv1d.weight"].shape[0]
    d_model, d_inner = inside["in_proj.weight"].shape[1], inside["out_proj.weight"].shape[1]
    both = channels - d_inner
    if both <= 0 or both % 2 or d_inner % heads:
        raise ModelFileError(
            f"recognised a Mamba-2 mixer, but {heads} heads, {d_inner} channels "
            f"({prefix}out_proj.weight) and {channels} of the convolution do not go together",
            where=checkpoint.where,
        )
    groups = _groups(checkpoint, both // 2, heads)
    options: dict[str, Any] = {
        "d_model": d_model,
        "d_state": both // 2 // groups,
        "d_conv": inside["conv1d.weight"].shape[2],
        "expand": Fraction(d_inner, d_model),
        "headdim": d_inner // heads,
        "ngroups": groups,
        "D_has_hdim": inside["D"].numel() != heads if "D" in inside else False,
        "rmsnorm": "norm.weight" in inside,
        "norm_before_gate": bool(config.flag("norm_before_gate")),
        "dt_limit": _dt_limit(config),
        "conv_bias": "conv1d.bias" in inside,
        "bias": "in_proj.bias" in inside or "out_proj.bias" in inside,
    }
    if "layer_norm_epsilon" in config.keys.values():  # transformers: one epsilon for all norms
        options["gated_norm_eps"] = config.number("norm_eps") or default_inner_eps
    config.check("d_model", d_model, f"{prefix}in_proj.weight has")
    config.check("heads", heads, f"{prefix}A_log has")
    config.check("headdim", options["headdim"], "the weights have")
    config.check("d_state", options["d_state"], f"with {groups} groups the weights have")
    config.check("d_conv", options["d_conv"], f"{prefix}conv1d.weight has")
    config.check_flag("conv_bias", options["conv_bias"], "conv1d.bias makes it")
    config.check_flag("bias", options["bias"], "in_proj.bias and out_proj.bias make it")
    if config.values.get("layer") not in (None, "Mamba2"):
        config.mismatch("layer", "a Mamba-2 mixer", "the weights are those of")
    if config.values.get("activation") not in (None, "silu", "swish"):
        raise UnsupportedModelError(
            f"the mixers' activation is {config.values['activation']!r}, only silu is supported",
            where=config.where,
            hint="train with silu",
        )
    return options, {}


def _inside(checkpoint: Checkpoint, prefix: str) -> Mapping[str, Tensor]:
    """The mixer's tensors, those that tell its shape checked."""
    inside = {
        name.removeprefix(prefix): tensor
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(prefix)
    }
    for name, axes in TELLING.items():
        if name not in inside:
            raise ModelFileError(
                f"recognised a Mamba-2 mixer, but {prefix}{name} is missing", where=checkpoint.where
            )
        if inside[name].ndim != axes or not inside[name].numel():
            raise ModelFileError(
                f"recognised a Mamba-2 mixer, but {prefix}{name} has shape "
                f"{tuple(inside[name].shape)}, {axes} axes are expected",
                where=checkpoint.where,
            )
    return inside


def _groups(checkpoint: Checkpoint, states: int, heads: int) -> int:
    """Groups of B and C, whose `states` columns are all that the weights tell."""
    config = checkpoint.config
    given, d_state = config.number("groups"), config.number("d_state")
    if given is None and d_state is not None and states % int(d_state) == 0:
        given = states // int(d_state)
    if given is None:
        given = 1
        checkpoint.warnings.append(
            "no config gives the number of groups of Mamba-2's B and C: 1 is assumed "
            '(config={"ngroups": ...} says otherwise)'
        )
    groups = int(given)
    if states % groups or heads % groups:
        raise InputError(
            f"{config.keys.get('groups', 'ngroups')} is {groups}, which does not divide "
            f"{states} columns of B and {heads} heads",
            where=config.where,
            hint="this config belongs to another checkpoint",
        )
    return groups


def _dt_limit(config: Config) -> tuple[float, float]:
    """Limits of the step sizes; infinity is spelt in several ways."""
    given = config.values.get("dt_limit")
    if given is None:
        return 0.0, math.inf
    try:
        least, most = (
            float(value["__float__"] if isinstance(value, Mapping) else value) for value in given
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{config.keys['dt_limit']} is {given!r}, two numbers are expected", where=config.where
        ) from error
    if not 0 <= least <= most:
        raise InputError(
            f"{config.keys['dt_limit']} is {given!r}; limits are positive, the lower one first",
            where=config.where,
        )
    return least, most
