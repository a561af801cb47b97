"""Kind: language models of `mamba_ssm` (`MambaLMHeadModel`, and its backbone `MixerModel`).

Names: backbone.embedding.weight, backbone.layers.i.norm.*, backbone.layers.i.mixer.*,
backbone.norm_f.*, lm_head.weight (always there, tied or not). config.json: d_model, n_layer,
vocab_size (rounded up to pad_vocab_size_multiple), ssm_cfg, rms_norm, tie_embeddings; the norms'
epsilon is not in it: 1e-5. `scanlet.nn.MambaLMHeadModel` has the same names.
"""

from __future__ import annotations

from collections.abc import Collection

from scanlet.checkpoints.checkpoint import Blank, Checkpoint
from scanlet.checkpoints.language_model import Layout
from scanlet.checkpoints.language_model import build as build_model

EPS = 1e-5
LAYOUTS = (
    Layout(
        "a mamba_ssm language model",
        *("backbone.embedding", "backbone.layers", "backbone.norm_f", "lm_head"),
        default_eps=EPS,
        tied=True,
    ),
    Layout(
        "a mamba_ssm backbone",
        *("embedding", "layers", "norm_f", ""),
        default_eps=EPS,
    ),
)


def recognise(names: Collection[str]) -> bool:
    return _layout(names) is not None


def build(checkpoint: Checkpoint) -> Blank:
    layout = _layout(checkpoint.tensors)
    assert layout is not None, "recognised before"
    return build_model(layout, checkpoint)


def _layout(names: Collection[str]) -> Layout | None:
    """The embedding tells; beside a head its absence is a defect, which is named later."""
    for layout in LAYOUTS:
        telling = [f"{part}.weight" for part in (layout.embedding, layout.head) if part]
        if layout.recognise(names) and any(name in names for name in telling):
            return layout
    return None
