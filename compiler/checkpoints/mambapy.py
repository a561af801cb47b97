"""Kind: mambapy's `Mamba` (blocks alone, vectors in and out) and its language model `LM`.

Names: layers.i.norm.weight, layers.i.mixer.* (with dt_/B_/C_layernorm.weight if the model was
made with inner_layernorms); LM: embedding.weight, mamba.layers.i.*, norm_f.weight, lm_head.weight,
which are never tied.
"""

from __future__ import annotations

from collections.abc import Collection

from scanlet.checkpoints.checkpoint import Blank, Checkpoint
from scanlet.checkpoints.language_model import Layout
from scanlet.checkpoints.language_model import build as build_model

EPS = 1e-5
LANGUAGE_MODEL = Layout(
    "a mambapy language model",
    *("embedding", "mamba.layers", "norm_f", "lm_head"),
    default_eps=EPS,
)
BLOCKS = Layout("a stack of Mamba blocks, as mambapy's Mamba", "", "layers", "", "", EPS)
WITH_NORM = Layout("a stack of Mamba blocks with a final norm", "", "layers", "norm_f", "", EPS)


def recognise(names: Collection[str]) -> bool:
    return _layout(names) is not None


def build(checkpoint: Checkpoint) -> Blank:
    layout = _layout(checkpoint.tensors)
    assert layout is not None, "recognised before"
    return build_model(layout, checkpoint)


def _layout(names: Collection[str]) -> Layout | None:
    order = (LANGUAGE_MODEL, WITH_NORM, BLOCKS)
    return next((layout for layout in order if layout.recognise(names)), None)
