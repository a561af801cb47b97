"""Settings of a model, under whichever names its code base gives them.

One table of names for all kinds, so that a config of one's own needs no dialect. What the shapes of
the weights tell is only checked against the config; what they cannot tell is read from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scanlet.errors import InputError

#: Setting -> the names it goes by: mamba_ssm's (also within ssm_cfg), transformers', mambapy's.
NAMES: dict[str, tuple[str, ...]] = {
    "d_model": ("d_model", "hidden_size"),
    "n_layer": ("n_layer", "num_hidden_layers", "n_layers"),
    "vocab_size": ("vocab_size",),
    "pad_vocab_size_multiple": ("pad_vocab_size_multiple",),
    "d_inner": ("d_inner", "intermediate_size"),
    "expand": ("expand", "expand_factor"),
    "d_state": ("d_state", "state_size"),
    "d_conv": ("d_conv", "conv_kernel"),
    "dt_rank": ("dt_rank", "time_step_rank"),
    "bias": ("bias", "use_bias"),
    "conv_bias": ("conv_bias", "use_conv_bias"),
    "norm_eps": ("norm_epsilon", "layer_norm_epsilon", "rms_norm_eps", "norm_eps"),
    "rms_norm": ("rms_norm",),
    "inner_norm_eps": ("mixer_rms_eps", "inner_norm_eps"),
    "inner_layernorms": ("inner_layernorms",),
    "tie_embeddings": ("tie_embeddings", "tie_word_embeddings"),
    "activation": ("hidden_act",),
    "model_type": ("model_type",),
    "layer": ("layer",),
    "d_intermediate": ("d_intermediate",),
    "attn_layer_idx": ("attn_layer_idx",),
    "mup": ("mup",),
    "groups": ("ngroups", "n_groups"),
    "heads": ("num_heads", "nheads"),
    "headdim": ("headdim", "head_dim", "d_head"),
    "dt_limit": ("dt_limit", "time_step_limit"),
    "norm_before_gate": ("norm_before_gate",),
}
NESTED = "ssm_cfg"
#: Known keys that do not change what a trained model computes in float32.
WITHOUT_EFFECT = (
    *("residual_in_fp32", "fused_add_norm", "attn_cfg", "use_fast_path", "layer_types"),
    *("dt_min", "dt_max", "dt_init", "dt_scale", "dt_init_floor", "use_cuda", "pscan"),
    *("time_step_min", "time_step_max", "time_step_scale", "time_step_floor"),
    *("time_step_init_scheme", "use_mambapy", "use_cache", "initializer_cfg", "base_std"),
    *("rescale_prenorm_residual", "use_associative_scan", "use_falcon_mambapy"),
    *("chunk_size", "A_init_range", "use_mem_eff_path", "rmsnorm", "D_has_hdim", "d_ssm"),
    *("mup_base_width", "torch_dtype", "dtype", "architectures", "transformers_version"),
)
KNOWN = (*(name for names in NAMES.values() for name in names), NESTED, *WITHOUT_EFFECT)


@dataclass(frozen=True)
class Config:
    """The settings that were given, by our names; `keys` has the name each was given under."""

    where: str = "the config"
    values: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    #: Keys that nobody knows but that look like one that somebody does: (found, meant).
    suspicious: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.values)

    def number(self, setting: str) -> float | None:
        """A positive number, or None if it was not given. Raises InputError for anything else."""
        value = self.values.get(setting)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise InputError(
                f"{self.keys[setting]} is {value!r}, a positive number is expected",
                where=self.where,
            )
        return value

    def flag(self, setting: str) -> bool | None:
        """True or False, or None if it was not given. Raises InputError for anything else."""
        value = self.values.get(setting)
        if value is not None and not isinstance(value, bool):
            raise InputError(
                f"{self.keys[setting]} is {value!r}, true or false is expected", where=self.where
            )
        return value

    def check(self, setting: str, found: int, source: str) -> None:
        """Raise InputError if the config gives another number than the weights."""
        given = self.number(setting)
        if given is not None and given != found:
            self.mismatch(setting, found, source)

    def check_flag(self, setting: str, found: bool, source: str) -> None:
        """Raise InputError if the config says otherwise than the weights."""
        given = self.flag(setting)
        if given is not None and given != found:
            self.mismatch(setting, found, source)

    def mismatch(self, setting: str, found: Any, source: str) -> None:
        given = self.values[setting]
        raise InputError(
            f"{self.keys[setting]} is {str(given).lower() if isinstance(given, bool) else given}, "
            f"but {source} {found}" + ("" if isinstance(found, str) else " in the weights"),
            where=self.where,
            hint="this config belongs to another checkpoint; leave out what the weights tell",
        )


def parse(raw: Mapping[str, Any], where: str) -> Config:
    """A config from the dictionary of any code base.

    Raises InputError for a setting that is given twice, differently.
    """
    nested = raw.get(NESTED) or {}
    if not isinstance(nested, Mapping):
        raise InputError(f"{NESTED} is {nested!r}, an object is expected", where=where)
    flat = [*raw.items(), *nested.items()]
    values: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for setting, names in NAMES.items():
        for name, value in flat:
            if name not in names or value is None:
                continue
            if setting in values and values[setting] != value:
                raise InputError(
                    f"{keys[setting]} is {values[setting]!r}, but {name} is {value!r}", where=where
                )
            values[setting], keys[setting] = value, name
    unknown = [str(name) for name, _ in flat if name not in KNOWN]
    close = ((name, difflib.get_close_matches(name, KNOWN, 1, 0.85)) for name in unknown)
    return Config(where, values, keys, tuple((name, m[0]) for name, m in close if m))
