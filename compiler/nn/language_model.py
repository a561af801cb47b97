"""Residual Mamba blocks, and language models of them, in plain PyTorch.

The architecture of Gu and Dao 2023 (arXiv:2312.00752), appendix E.2.1: an embedding, pre-norm
residual blocks, a final norm, and a head that usually shares the embedding's table. Parameters
are named as in `mamba_ssm`'s `MixerModel` and `MambaLMHeadModel`, whose state_dicts load strictly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from scanlet.nn.mamba import MambaMixer

NORMS = ("rms", "layer")


def _norm(kind: str, d_model: int, eps: float) -> nn.Module:
    if kind not in NORMS:
        raise ValueError(f"norm is {kind!r}; choose one of {', '.join(NORMS)}")
    return nn.RMSNorm(d_model, eps=eps) if kind == "rms" else nn.LayerNorm(d_model, eps=eps)


class MambaBlock(nn.Module):
    """x + mixer(norm(x)); x and y are (B, L, d_model).

    `mamba_ssm`'s `Block` adds first and hands the residual on separately, so that it can fuse the
    two: the same function. In float32 its `residual_in_fp32` changes nothing.
    """

    def __init__(self, norm: nn.Module, mixer: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.mixer = mixer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.mixer(self.norm(x))


class MambaModel(nn.Module):
    """`n_layer` residual blocks, between an embedding and a final norm where there are any.

    Tokens (B, L), or (B, L, d_model) without an embedding, give (B, L, d_model).

    Args:
        d_model, n_layer: width and number of blocks.
        vocab_size: rows of the embedding; None for a model that takes vectors.
        norm: "rms" or "layer": the kind of all norms between the mixers.
        norm_eps: their epsilon.
        final_norm: whether a norm follows the last block.
        mixer_class: makes a block's mixer of d_model and the options.
        mixer: options of the mixers (of `MambaMixer`).
    """

    def __init__(
        self,
        d_model: int,
        n_layer: int,
        vocab_size: int | None = None,
        *,
        norm: str = "rms",
        norm_eps: float = 1e-5,
        final_norm: bool = True,
        mixer_class: Callable[..., nn.Module] = MambaMixer,
        **mixer: Any,
    ) -> None:
        super().__init__()
        self.d_model = d_model
        self.embedding = None if vocab_size is None else nn.Embedding(vocab_size, d_model)
        self.layers = nn.ModuleList(
            MambaBlock(_norm(norm, d_model, norm_eps), mixer_class(d_model, **mixer))
            for _ in range(n_layer)
        )
        self.norm_f = _norm(norm, d_model, norm_eps) if final_norm else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.embedding is not None:
            x = self.embedding(x)
        for layer in self.layers:
            x = layer(x)
        return x if self.norm_f is None else self.norm_f(x)


class MambaLMHeadModel(nn.Module):
    """A causal language model: tokens (B, L), integers, give logits (B, L, vocab_size).

    Args:
        d_model, n_layer, vocab_size: as in `MambaModel`.
        tie_embeddings: whether the head shares the embedding's table.
        head_bias: whether the head has a bias.
        options: of `MambaModel`.
    """

    def __init__(
        self,
        d_model: int,
        n_layer: int,
        vocab_size: int,
        *,
        tie_embeddings: bool = True,
        head_bias: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        self.backbone = MambaModel(d_model, n_layer, vocab_size, **options)
        self.lm_head = nn.Linear(d_model, vocab_size, bias=head_bias)
        self.tie_embeddings = tie_embeddings
        self.tie_weights()

    def tie_weights(self) -> None:
        """Let the head hold the embedding's table itself, if the two are tied."""
        if self.tie_embeddings:
            assert self.backbone.embedding is not None, "a language model has an embedding"
            self.lm_head.weight = self.backbone.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.lm_head(self.backbone(tokens))
