"""Kind: Hugging Face transformers' Mamba and FalconMamba (`...ForCausalLM`, and `...Model`).

Names: backbone.embeddings.weight, backbone.layers.i.norm.weight, backbone.layers.i.mixer.*,
backbone.norm_f.weight, lm_head.weight unless it is tied; without "backbone." for a bare model.
config.json: hidden_size, num_hidden_layers, state_size, conv_kernel, time_step_rank,
layer_norm_epsilon, use_bias, use_conv_bias, tie_word_embeddings. FalconMamba's norms on dt, B and
C have no weights, so that only its model_type and mixer_rms_eps tell the two apart.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from scanlet.checkpoints import mixer
from scanlet.checkpoints.checkpoint import Blank, Checkpoint
from scanlet.checkpoints.language_model import Layout
from scanlet.checkpoints.language_model import build as build_model
from scanlet.errors import UnsupportedModelError

EPS = 1e-5
LAYOUTS = (
    Layout(
        "a Hugging Face Mamba language model",
        *("backbone.embeddings", "backbone.layers", "backbone.norm_f", "lm_head"),
        default_eps=EPS,
        tied=True,
    ),
    Layout(
        "a Hugging Face Mamba model",
        *("embeddings", "layers", "norm_f", ""),
        default_eps=EPS,
    ),
)
MODEL_TYPES = ("mamba", mixer.FALCON)


def recognise(names: Collection[str]) -> bool:
    return any(_fits(layout, names) for layout in LAYOUTS)


def _fits(layout: Layout, names: Collection[str]) -> bool:
    return layout.recognise(names) and f"{layout.embedding}.weight" in names


def build(checkpoint: Checkpoint) -> Blank:
    layout = next(layout for layout in LAYOUTS if _fits(layout, checkpoint.tensors))
    model_type = checkpoint.config.values.get("model_type")
    if model_type is not None and model_type not in MODEL_TYPES:
        raise UnsupportedModelError(
            f"recognised the names of {layout.kind}, but model_type is {model_type!r}",
            where=checkpoint.config.where,
            hint=f"supported are {' and '.join(MODEL_TYPES)}",
        )
    if mixer.is_falcon(checkpoint):
        layout = replace(layout, kind=layout.kind.replace("Mamba", "FalconMamba"))
    elif not checkpoint.config:
        checkpoint.warnings.append(
            "there is no config, and FalconMamba has the same names as Mamba: Mamba is assumed "
            '(config={"model_type": "falcon_mamba"} says otherwise)'
        )
    return build_model(layout, checkpoint)
