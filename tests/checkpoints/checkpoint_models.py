"""Checkpoints that the tests load: tiny originals of each code base, and what they compute.

`mamba_ssm` cannot be imported without a GPU, so its reference path is transcribed here, in
float64: `MixerModel.forward` without fused kernels, and `selective_scan_ref`.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

VOCABULARY = 40


def disturbed(model: nn.Module) -> nn.Module:
    """No parameter keeps a value that an initialisation gives by itself."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def tokens(length: int = 13) -> Tensor:
    return torch.randint(0, VOCABULARY, (1, length), generator=torch.Generator().manual_seed(5))


def vectors(d_model: int, length: int = 13) -> Tensor:
    return torch.randn(1, length, d_model, generator=torch.Generator().manual_seed(5))


def hugging_face(kind: str = "mamba", *, head: bool = True, **options) -> nn.Module:
    """A transformers model; `kind` is "mamba" or "falcon_mamba"."""
    import transformers

    names = {"mamba": "Mamba", "falcon_mamba": "FalconMamba"}[kind]
    settings = {
        "vocab_size": VOCABULARY,
        "hidden_size": 12,
        "num_hidden_layers": 2,
        "state_size": 4,
        "layer_norm_epsilon": 1e-3,
        **options,
    }
    config = getattr(transformers, f"{names}Config")(**settings)
    torch.manual_seed(0)
    return disturbed(getattr(transformers, f"{names}{'ForCausalLM' if head else 'Model'}")(config))


def saved(model: nn.Module, folder: Path, **options) -> Path:
    """A transformers model as a folder."""
    model.save_pretrained(folder, **options)
    return folder


MAMBA_SSM_CONFIG = {
    "d_model": 12,
    "n_layer": 2,
    "vocab_size": 37,  # the table has 40 rows
    "ssm_cfg": {"layer": "Mamba1", "d_state": 4},
    "rms_norm": True,
    "residual_in_fp32": True,
    "fused_add_norm": True,
    "pad_vocab_size_multiple": 8,
    "tie_embeddings": True,
}


def mamba_ssm_state(*, layer_norm: bool = False, tied: bool = True, d_inner: int = 24) -> dict:
    """The state_dict of a MambaLMHeadModel with d_model 12, two layers, d_state 4, dt_rank 1."""
    d_model, d_state, dt_rank = 12, 4, 1
    shapes = {"backbone.embedding.weight": (VOCABULARY, d_model)}
    for i in range(2):
        mixer = {
            "A_log": (d_inner, d_state),
            "D": (d_inner,),
            "in_proj.weight": (2 * d_inner, d_model),
            "conv1d.weight": (d_inner, 1, 4),
            "conv1d.bias": (d_inner,),
            "x_proj.weight": (dt_rank + 2 * d_state, d_inner),
            "dt_proj.weight": (d_inner, dt_rank),
            "dt_proj.bias": (d_inner,),
            "out_proj.weight": (d_model, d_inner),
        }
        shapes |= {f"backbone.layers.{i}.mixer.{name}": shape for name, shape in mixer.items()}
        shapes[f"backbone.layers.{i}.norm.weight"] = (d_model,)
        if layer_norm:
            shapes[f"backbone.layers.{i}.norm.bias"] = (d_model,)
    shapes["backbone.norm_f.weight"] = (d_model,)
    if layer_norm:
        shapes["backbone.norm_f.bias"] = (d_model,)
    generator = torch.Generator().manual_seed(7)
    state = {n: 0.4 * torch.randn(s, generator=generator) for n, s in shapes.items()}
    table = state["backbone.embedding.weight"]
    state["lm_head.weight"] = table if tied else torch.randn(table.shape, generator=generator)
    return state


def mamba_ssm_logits(state: dict, tokens: Tensor, eps: float = 1e-5) -> Tensor:
    """What mamba_ssm computes from the state_dict: add, then norm, then mixer, in float64."""
    state = {name: tensor.double() for name, tensor in state.items()}

    def norm(name: str, x: Tensor) -> Tensor:
        weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
        if bias is not None:
            return F.layer_norm(x, weight.shape, weight, bias, eps)
        return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight

    hidden, residual = state["backbone.embedding.weight"][tokens], None
    for i in range(2):
        residual = hidden if residual is None else hidden + residual
        name = f"backbone.layers.{i}"
        inside = {
            key.removeprefix(f"{name}.mixer."): value
            for key, value in state.items()
            if key.startswith(f"{name}.mixer.")
        }
        hidden = mamba_ssm_mixer(inside, norm(f"{name}.norm", residual))
    return norm("backbone.norm_f", hidden + residual) @ state["lm_head.weight"].T


def mamba_ssm_mixer(state: dict, x: Tensor) -> Tensor:
    """One mixer from its state_dict, in the type of x: (B, L, d_model) to (B, L, d_model)."""
    batch, length, _ = x.shape
    d_inner, d_state = state["A_log"].shape
    taps = state["conv1d.weight"].shape[-1]
    xz = torch.einsum("ed,bld->bel", state["in_proj.weight"], x)
    u, z = xz[:, :d_inner], xz[:, d_inner:]
    padded = torch.cat([torch.zeros(batch, d_inner, taps - 1, dtype=x.dtype), u], 2)
    u = torch.stack(
        [
            (padded[:, :, t : t + taps] * state["conv1d.weight"][:, 0]).sum(-1)
            for t in range(length)
        ],
        -1,
    )
    u = F.silu(u + state["conv1d.bias"][:, None])
    projected = torch.einsum("re,bel->brl", state["x_proj.weight"], u)
    dt = projected[:, : -2 * d_state]
    b, c = projected[:, -2 * d_state : -d_state], projected[:, -d_state:]
    delta = torch.einsum("er,brl->bel", state["dt_proj.weight"], dt)
    delta = F.softplus(delta + state["dt_proj.bias"][:, None])
    a, h, ys = -state["A_log"].exp(), torch.zeros(batch, d_inner, d_state, dtype=x.dtype), []
    for t in range(length):
        step = delta[:, :, t, None]
        h = (step * a).exp() * h + step * b[:, None, :, t] * u[:, :, t, None]
        ys.append((h * c[:, None, :, t]).sum(-1) + state["D"] * u[:, :, t])
    y = torch.stack(ys, 1) * F.silu(z).transpose(1, 2)
    return y @ state["out_proj.weight"].T


def mambapy_blocks(**options) -> nn.Module:
    from mambapy.mamba import Mamba, MambaConfig

    torch.manual_seed(0)
    return disturbed(Mamba(MambaConfig(d_model=12, n_layers=2, d_state=4, **options)))


class MambapyLanguageModel(nn.Module):
    """mambapy's `LM`, whose file imports mamba_ssm and so a GPU; its parts come from mambapy."""

    def __init__(self, **options) -> None:
        from mambapy.mamba import RMSNorm

        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 12)
        self.mamba = mambapy_blocks(**options)
        self.norm_f = RMSNorm(12, self.mamba.config.rms_norm_eps)
        self.lm_head = nn.Linear(12, VOCABULARY, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.lm_head(self.norm_f(self.mamba(self.embedding(tokens))))


def mambapy_language_model(**options) -> nn.Module:
    torch.manual_seed(1)
    return disturbed(MambapyLanguageModel(**options))


def deviation(got: Tensor, want: Tensor) -> float:
    """The largest difference, relative to the largest expected value."""
    want = want.double()
    return float((got.double() - want).abs().max() / want.abs().max())
