"""A stack of residual blocks, with an embedding and a head or without: what most kinds are."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from scanlet.checkpoints import mixer
from scanlet.checkpoints.checkpoint import Blank, Checkpoint
from scanlet.errors import ModelFileError, UnsupportedModelError
from scanlet.nn import MambaLMHeadModel, MambaMixer, MambaModel

OptionsOf = Callable[..., tuple[dict[str, Any], dict[str, str]]]


@dataclass(frozen=True)
class Layout:
    """Where a kind keeps the parts: full names of modules in the checkpoint, "" for none.

    `default_eps` is what the code base uses where no config tells. `tied` says whether a model
    without a head of its own in the file shares the embedding's table.
    """

    kind: str
    embedding: str
    layers: str
    final_norm: str
    head: str
    default_eps: float
    tied: bool = False

    def recognise(self, names: Collection[str]) -> bool:
        """Whether these are names of this layout: its embedding or final norm, and its layers."""
        ends = [f"{part}.weight" for part in (self.embedding, self.final_norm) if part]
        inside = any(re.match(rf"{re.escape(self.layers)}\.\d+\.mixer\.", n) for n in names)
        return inside and (not ends or any(end in names for end in ends))


def build(
    layout: Layout,
    checkpoint: Checkpoint,
    *,
    mixer_class: Callable[..., nn.Module] = MambaMixer,
    options_of: OptionsOf = mixer.options_of,
) -> Blank:
    """The empty model with every option that names, shapes and config tell.

    `options_of` gives the arguments of `mixer_class`, as `mixer.options_of` gives `MambaMixer`'s.
    Raises what `mixer.options_of` raises, and UnsupportedModelError for blocks that are not one
    mixer each.
    """
    config, tensors = checkpoint.config, checkpoint.tensors
    n_layer = _count_layers(layout, checkpoint)
    config.check("n_layer", n_layer, f"{layout.layers} has")
    _check_blocks(layout, checkpoint)
    options, inner = options_of(
        checkpoint, f"{layout.layers}.0.mixer.", default_inner_eps=layout.default_eps
    )
    d_model = options.pop("d_model")
    norm_bias = f"{layout.layers}.0.norm.bias" in tensors
    config.check_flag("rms_norm", not norm_bias, "the norms' biases make it")
    eps = config.number("norm_eps")
    if eps is None:
        eps = layout.default_eps
        if not config:
            checkpoint.warnings.append(f"no config gives the norms' epsilon: {eps:g} is assumed")
    backbone: dict[str, Any] = {
        "norm": "layer" if norm_bias else "rms",
        "norm_eps": eps,
        "final_norm": bool(layout.final_norm),
        "mixer_class": mixer_class,
        **options,
    }
    vocab_size = _vocabulary(layout, checkpoint)
    tied, unused = False, frozenset[str]()
    model: MambaModel | MambaLMHeadModel
    if layout.head and vocab_size is not None:
        tied, unused = _tied(layout, checkpoint)
        head_bias = f"{layout.head}.bias" in tensors
        model = MambaLMHeadModel(
            d_model, n_layer, vocab_size, tie_embeddings=tied, head_bias=head_bias, **backbone
        )
    else:
        model = MambaModel(d_model, n_layer, vocab_size, **backbone)
    return Blank(
        layout.kind,
        model,
        _names(model, layout, inner, tied),
        d_model=d_model if vocab_size is None else None,
        unused=unused,
    )


def _count_layers(layout: Layout, checkpoint: Checkpoint) -> int:
    pattern = re.compile(rf"{re.escape(layout.layers)}\.(\d+)\.")
    found = {int(m[1]) for name in checkpoint.tensors if (m := pattern.match(name))}
    absent = sorted(set(range(max(found) + 1)) - found)
    if absent:
        raise ModelFileError(
            f"recognised {layout.kind}, but layers {', '.join(map(str, absent[:5]))} of "
            f"{max(found) + 1} are missing",
            where=checkpoint.where,
            hint="the checkpoint is incomplete; download or save all of it",
        )
    return len(found)


def _check_blocks(layout: Layout, checkpoint: Checkpoint) -> None:
    """Refuse hybrids: attention and MLPs between the mixers."""
    config = checkpoint.config
    part = re.compile(
        rf"{re.escape(layout.layers)}\.\d+\.(mlp|norm2|mixer\.(?:Wqkv|in_proj_qkv))\b"
    )
    found = [name for name in checkpoint.tensors if part.match(name)]
    if found or config.values.get("attn_layer_idx") or config.values.get("d_intermediate"):
        what = found[0] if found else "attn_layer_idx or d_intermediate in the config"
        raise UnsupportedModelError(
            f"recognised {layout.kind} with attention or MLPs between the mixers ({what})",
            where=checkpoint.where,
            hint="models of Mamba blocks alone are supported (attn_layer_idx empty, "
            "d_intermediate 0)",
        )


def _vocabulary(layout: Layout, checkpoint: Checkpoint) -> int | None:
    """Rows of the embedding, checked; None if the model has none."""
    table = checkpoint.tensors.get(f"{layout.embedding}.weight") if layout.embedding else None
    if table is None:
        if layout.embedding:  # the layout was told by its final norm
            raise ModelFileError(
                f"recognised {layout.kind}, but {layout.embedding}.weight is missing",
                where=checkpoint.where,
            )
        return None
    if table.ndim != 2 or not table.numel():
        raise ModelFileError(
            f"recognised {layout.kind}, but {layout.embedding}.weight has shape "
            f"{tuple(table.shape)}, (vocab_size, d_model) is expected",
            where=checkpoint.where,
        )
    config = checkpoint.config
    given, multiple = config.number("vocab_size"), config.number("pad_vocab_size_multiple") or 8
    rows = table.shape[0]
    # mamba_ssm rounds the table up (by 8 unless the config says otherwise).
    if given is not None and rows not in (given, -(-given // multiple) * multiple):
        config.mismatch("vocab_size", rows, f"{layout.embedding}.weight has")
    return rows


def _tied(layout: Layout, checkpoint: Checkpoint) -> tuple[bool, frozenset[str]]:
    """Whether the head shares the embedding's table, and the head's name if it is a duplicate."""
    tensors, config = checkpoint.tensors, checkpoint.config
    name = f"{layout.head}.weight"
    said = config.flag("tie_embeddings")
    if name not in tensors:
        if said is False or not layout.tied:
            raise ModelFileError(
                f"recognised {layout.kind}, but {name} is missing"
                + (f", and {config.keys['tie_embeddings']} is false" if said is False else ""),
                where=checkpoint.where,
            )
        checkpoint.notes.append(f"there is no {name}: the head shares the embedding's table")
        return True, frozenset()
    table, head = tensors[f"{layout.embedding}.weight"], tensors[name]
    same = table.shape == head.shape and torch.equal(table, head)
    if said and not same:
        config.mismatch("tie_embeddings", f"{name} differs from {layout.embedding}.weight", "")
    return same, frozenset({name}) if same else frozenset()


def _names(
    model: MambaModel | MambaLMHeadModel, layout: Layout, inner: Mapping[str, str], tied: bool
) -> dict[str, str]:
    """Our names -> the checkpoint's."""
    names = {}
    for name in model.state_dict():
        part = name.removeprefix("backbone.")
        if part.startswith("embedding."):
            stored = layout.embedding + part.removeprefix("embedding")
        elif part.startswith("layers."):
            _, index, rest = part.split(".", 2)
            if rest.startswith("mixer."):
                ours = rest.removeprefix("mixer.")
                rest = f"mixer.{inner.get(ours, ours)}"
            stored = f"{layout.layers}.{index}.{rest}"
        elif part.startswith("norm_f."):
            stored = layout.final_norm + part.removeprefix("norm_f")
        elif tied and part == "lm_head.weight":
            stored = f"{layout.embedding}.weight"
        else:
            stored = layout.head + part.removeprefix("lm_head")
        names[name] = stored
    return names
