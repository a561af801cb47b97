"""Kind: a bare Mamba-1 mixer; and what the weights of any mixer tell about its options."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from math import ceil
from typing import Any

from torch import Tensor

from scanlet.checkpoints.checkpoint import Blank, Checkpoint
from scanlet.errors import ModelFileError, UnsupportedModelError
from scanlet.nn import MambaMixer

#: Without these a mixer's shape cannot be told: name -> axes.
TELLING = {"A_log": 2, "in_proj.weight": 2, "conv1d.weight": 3, "dt_proj.weight": 2}
#: Our norms on dt, B and C -> the names that others give them.
INNER_NORMS = {
    "dt_layernorm.weight": ("dt_layernorm.weight",),
    "b_layernorm.weight": ("b_layernorm.weight", "B_layernorm.weight"),
    "c_layernorm.weight": ("c_layernorm.weight", "C_layernorm.weight"),
}
FALCON = "falcon_mamba"
FALCON_EPS = 1e-6
JAMBA_EPS = 1e-6
SILU = ("silu", "swish")


def recognise(names: Collection[str]) -> bool:
    """At least half of a mixer's tell-tale names, so that what is missing can be named."""
    return len(TELLING.keys() & set(names)) >= 2


def build(checkpoint: Checkpoint) -> Blank:
    options, names = options_of(checkpoint, "", default_inner_eps=JAMBA_EPS)
    return Blank(
        f"a {'FalconMamba' if is_falcon(checkpoint) else 'Mamba-1'} mixer",
        MambaMixer(**options),
        names,
        d_model=options["d_model"],
    )


def is_falcon(checkpoint: Checkpoint) -> bool:
    """Whether the config asks for FalconMamba's norms, which have no weights to show."""
    config = checkpoint.config
    return config.values.get("model_type") == FALCON or (
        "inner_norm_eps" in config.values and not any("layernorm" in n for n in checkpoint.tensors)
    )


def options_of(
    checkpoint: Checkpoint, prefix: str, *, default_inner_eps: float
) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments of `MambaMixer`, and names of its parameters that differ (all without prefix).

    Raises ModelFileError where the weights do not make a mixer, InputError where the config says
    otherwise than the weights, UnsupportedModelError for a setting that a mixer cannot have.
    """
    config = checkpoint.config
    inside = {
        name.removeprefix(prefix): tensor
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(prefix)
    }
    for name, axes in TELLING.items():
        if name not in inside:
            raise ModelFileError(
                f"recognised a Mamba-1 mixer, but {prefix}{name} is missing", where=checkpoint.where
            )
        if inside[name].ndim != axes or not inside[name].numel():
            raise ModelFileError(
                f"recognised a Mamba-1 mixer, but {prefix}{name} has shape "
                f"{tuple(inside[name].shape)}, {axes} axes are expected",
                where=checkpoint.where,
            )
    (d_inner, d_state), d_model = inside["A_log"].shape, inside["in_proj.weight"].shape[1]
    d_conv, dt_rank = inside["conv1d.weight"].shape[2], inside["dt_proj.weight"].shape[1]
    options: dict[str, Any] = {
        "d_model": d_model,
        "d_state": d_state,
        "d_conv": d_conv,
        "expand": _ratio(d_inner, d_model),
        "dt_rank": dt_rank,
        "conv_bias": "conv1d.bias" in inside,
        "bias": "in_proj.bias" in inside or "out_proj.bias" in inside,
    }
    config.check("d_model", d_model, f"{prefix}in_proj.weight has")
    config.check("d_inner", d_inner, f"{prefix}A_log has")
    config.check("d_state", d_state, f"{prefix}A_log has")
    config.check("d_conv", d_conv, f"{prefix}conv1d.weight has")
    if config.values.get("dt_rank") == "auto":
        if dt_rank != ceil(d_model / 16):
            config.mismatch("dt_rank", dt_rank, f"{prefix}dt_proj.weight has")
    else:
        config.check("dt_rank", dt_rank, f"{prefix}dt_proj.weight has")
    expand = config.number("expand")
    if expand is not None and int(expand * d_model) != d_inner:
        config.mismatch("expand", f"d_model {d_model} and d_inner {d_inner}", "the weights have")
    config.check_flag("conv_bias", options["conv_bias"], "conv1d.bias makes it")
    config.check_flag("bias", options["bias"], "in_proj.bias and out_proj.bias make it")
    _check_meaning(checkpoint)
    names = _inner_norms(checkpoint, inside, options, default_inner_eps)
    return options, names


def _ratio(d_inner: int, d_model: int) -> int | Fraction:
    ratio = Fraction(d_inner, d_model)
    return ratio.numerator if ratio.denominator == 1 else ratio


def _check_meaning(checkpoint: Checkpoint) -> None:
    """Settings that change what is computed without showing in any shape."""
    config = checkpoint.config
    activation = config.values.get("activation")
    if activation is not None and activation not in SILU:
        raise UnsupportedModelError(
            f"the mixers' activation is {activation!r}, only silu is supported", where=config.where
        )
    layer = config.values.get("layer")
    if layer not in (None, "Mamba1"):
        config.mismatch("layer", "a Mamba-1 mixer", "the weights are those of")
    if config.flag("mup"):
        raise UnsupportedModelError(
            "mambapy's muP (mup=True) scales the logits and drops the norms' weights",
            where=config.where,
            hint="build the model with mambapy and hand the module to scanlet.compile",
        )


def _inner_norms(
    checkpoint: Checkpoint, inside: Mapping[str, Tensor], options: dict[str, Any], default: float
) -> dict[str, str]:
    """Add the options of norms on dt, B and C; returns the names of their weights."""
    config = checkpoint.config
    names = {
        ours: theirs
        for ours, others in INNER_NORMS.items()
        for theirs in others
        if theirs in inside
    }
    config_flag = config.flag("inner_layernorms")
    if config_flag is not None and config_flag != bool(names):
        config.mismatch("inner_layernorms", bool(names), "dt_, B_ and C_layernorm make it")
    eps = config.number("inner_norm_eps")
    if names:
        options["inner_norm_eps"] = eps or config.number("norm_eps") or default
        if eps is None and config.number("norm_eps") is None:
            checkpoint.warnings.append(
                f"no config gives the epsilon of the norms on dt, B and C: {default:g} is assumed"
            )
    elif is_falcon(checkpoint):
        options["inner_norm_eps"] = eps or FALCON_EPS
        options["inner_norm_weights"] = False
    return names
