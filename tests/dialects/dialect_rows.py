"""The rows of docs/dialects.md: who writes mixers how. A further dialect is one more entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from dialect_originals import (
    MambaMinimal,
    MambaSsm,
    MinimalBlock,
    MinimalModel,
    SsmBlock,
    SsmModel,
    VisionMamba,
)
from mamba2_originals import MambaSsm2
from mambapy.mamba import Mamba as MambapyModel
from mambapy.mamba import MambaBlock as MambapyMixer
from mambapy.mamba import MambaConfig as MambapyConfig
from mambapy.mamba import ResidualBlock as MambapyBlock
from torch import nn
from transformers import (
    FalconMambaConfig,
    FalconMambaForCausalLM,
    JambaConfig,
    JambaForCausalLM,
    Mamba2Config,
    Mamba2ForCausalLM,
    MambaConfig,
    MambaForCausalLM,
)
from transformers.models.falcon_mamba.modeling_falcon_mamba import (
    FalconMambaBlock,
    FalconMambaMixer,
)
from transformers.models.jamba.modeling_jamba import JambaMambaDecoderLayer, JambaMambaMixer
from transformers.models.mamba.modeling_mamba import MambaBlock, MambaMixer
from transformers.models.mamba2.modeling_mamba2 import Mamba2Block, Mamba2Mixer

D_MODEL, TOKENS = 8, 24

Factory = Callable[[], nn.Module]


@dataclass(frozen=True)
class Refused:
    """A model that is refused, and words of the message."""

    model: Factory
    words: str


@dataclass(frozen=True)
class Row:
    """One dialect.

    `mixer` and `block` map (1, L, D_MODEL) to the same (or to several such), `model` tokens (1, L)
    below TOKENS to logits, or sequences as `block` does. `bidirectional` is a mixer that reads both
    ways by itself; two plain ones between flips are tried where there is none. None leaves a cell
    empty: the project has no such thing.
    """

    name: str
    original: str
    mixer: Factory
    block: Factory | None = None
    model: Factory | Refused | None = None
    bidirectional: Factory | None = None
    float_at_integer_precision: bool = False


def _mambapy(layers: int = 2, **options: Any) -> MambapyConfig:
    return MambapyConfig(d_model=D_MODEL, n_layers=layers, d_state=4, dt_rank=2, **options)


_SIZES: dict[str, Any] = {"vocab_size": TOKENS, "hidden_size": D_MODEL, "num_hidden_layers": 2}
_STATES: dict[str, Any] = {"state_size": 4, "time_step_rank": 2}
_MAMBA = MambaConfig(**_SIZES, **_STATES)
_FALCON = FalconMambaConfig(**_SIZES, **_STATES, mixer_rms_eps=1e-3)
_JAMBA = JambaConfig(
    **_SIZES,
    mamba_d_state=4,
    mamba_dt_rank=2,
    intermediate_size=12,
    num_attention_heads=2,
    num_key_value_heads=2,
    num_experts=1,
    attn_layer_period=2,
    attn_layer_offset=1,
)


_MAMBA2 = Mamba2Config(
    **_SIZES, state_size=4, num_heads=4, head_dim=4, n_groups=2, chunk_size=8, use_cache=False
)


def _initialised(module: nn.Module) -> nn.Module:
    """Transformers leaves A_log and D of a mixer outside a whole model empty."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("A_log"):
                parameter.copy_(torch.log(torch.arange(1.0, 5.0)).expand_as(parameter))
            elif name.endswith("dt_bias"):
                parameter.fill_(0.1)
            elif name.endswith("D"):
                parameter.fill_(1.0)
    return module


ROWS = (
    Row(
        "mamba_ssm `Mamba`",
        "transcription of its reference path",
        lambda: MambaSsm(D_MODEL, bias=True),
        lambda: SsmBlock(D_MODEL, MambaSsm(D_MODEL)),
        lambda: SsmModel(D_MODEL, TOKENS),
    ),
    Row(
        "Hugging Face Mamba",
        "transformers 5.23.0",
        lambda: MambaMixer(_MAMBA, layer_idx=0),
        lambda: _initialised(MambaBlock(_MAMBA, layer_idx=0)),
        lambda: MambaForCausalLM(_MAMBA),
    ),
    Row(
        "FalconMamba",
        "transformers 5.23.0",
        lambda: _initialised(
            FalconMambaMixer(_FALCON, layer_idx=0, initialize_mixer_weights=False)
        ),
        lambda: _initialised(FalconMambaBlock(_FALCON, layer_idx=0)),
        lambda: FalconMambaForCausalLM(_FALCON),
        float_at_integer_precision=True,
    ),
    Row(
        "Jamba",
        "transformers 5.23.0",
        lambda: JambaMambaMixer(_JAMBA, layer_idx=0),
        lambda: JambaMambaDecoderLayer(_JAMBA, layer_idx=0),
        Refused(lambda: JambaForCausalLM(_JAMBA), "attention is not supported"),
        float_at_integer_precision=True,
    ),
    Row(
        "mambapy, `pscan`",
        "mambapy 1.2.0",
        lambda: MambapyMixer(_mambapy(bias=True)),
        lambda: MambapyBlock(_mambapy()),
        lambda: MambapyModel(_mambapy()),
    ),
    Row(
        "mambapy, loop",
        "mambapy 1.2.0",
        lambda: MambapyMixer(_mambapy(pscan=False, conv_bias=False)),
        lambda: MambapyBlock(_mambapy(pscan=False)),
        lambda: MambapyModel(_mambapy(pscan=False)),
    ),
    Row(
        "mambapy, `inner_layernorms`",
        "mambapy 1.2.0",
        lambda: MambapyMixer(_mambapy(inner_layernorms=True)),
        lambda: MambapyBlock(_mambapy(inner_layernorms=True)),
        lambda: MambapyModel(_mambapy(inner_layernorms=True)),
        float_at_integer_precision=True,
    ),
    Row(
        "mamba-minimal",
        "transcription (einops 0.8.2)",
        lambda: MambaMinimal(D_MODEL),
        lambda: MinimalBlock(D_MODEL),
        lambda: MinimalModel(D_MODEL, TOKENS),
    ),
    Row(
        "Vision Mamba, `v2`",
        "transcription of the paper's algorithm 1",
        lambda: VisionMamba(D_MODEL, bias=True),
        lambda: SsmBlock(D_MODEL, VisionMamba(D_MODEL, if_divide_out=True)),
        bidirectional=lambda: VisionMamba(D_MODEL, if_divide_out=True, bias=True),
    ),
    Row(
        "mamba_ssm `Mamba2`",
        "transcription in matrix form",
        lambda: MambaSsm2(D_MODEL, 4, headdim=4, ngroups=2, bias=True),
        lambda: SsmBlock(D_MODEL, MambaSsm2(D_MODEL, 4, headdim=4)),
        float_at_integer_precision=True,
    ),
    Row(
        "Hugging Face Mamba-2",
        "transformers 5.23.0",
        lambda: _initialised(Mamba2Mixer(_MAMBA2, layer_idx=0)),
        lambda: _initialised(Mamba2Block(_MAMBA2, layer_idx=0)),
        lambda: Mamba2ForCausalLM(_MAMBA2),
        float_at_integer_precision=True,
    ),
)
