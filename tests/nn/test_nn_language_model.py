"""Blocks and language models: pre-norm residuals, tied heads, norms on dt, B and C."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from mambapy.mamba import Mamba, MambaConfig
from torch import nn

from scanlet.nn import MambaBlock, MambaLMHeadModel, MambaMixer, MambaModel


def test_a_block_adds_the_mixer_of_the_norm():
    torch.manual_seed(0)
    block = MambaBlock(nn.LayerNorm(6), MambaMixer(6, d_state=3))
    x = torch.randn(2, 5, 6)
    expected = x + block.mixer(F.layer_norm(x, (6,), block.norm.weight, block.norm.bias))
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("inner", [False, True])
def test_a_stack_of_blocks_computes_what_mambapy_computes(inner):
    torch.manual_seed(0)
    config = MambaConfig(6, n_layers=2, d_state=3, rms_norm_eps=1e-2, inner_layernorms=inner)
    original = Mamba(config)
    with torch.no_grad():
        for parameter in original.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    eps = {"inner_norm_eps": 1e-2} if inner else {}
    model = MambaModel(6, 2, norm_eps=1e-2, final_norm=False, d_state=3, **eps)
    state = original.state_dict()
    model.load_state_dict(
        {k.replace("B_lay", "b_lay").replace("C_lay", "c_lay"): v for k, v in state.items()}
    )
    x = torch.randn(2, 9, 6)
    torch.testing.assert_close(model(x), original(x), atol=1e-5, rtol=1e-5)


def test_inner_norms_without_weights_have_no_parameters():
    plain, normed = MambaMixer(6), MambaMixer(6, inner_norm_eps=1e-6, inner_norm_weights=False)
    assert plain.state_dict().keys() == normed.state_dict().keys()
    normed.load_state_dict(plain.state_dict())
    x = torch.randn(1, 4, 6)
    assert not torch.allclose(plain(x), normed(x))


def test_a_tied_head_is_trained_as_one_table_with_the_embedding():
    model = MambaLMHeadModel(6, 1, 11, d_state=3)
    assert model.lm_head.weight is model.backbone.embedding.weight
    untied = MambaLMHeadModel(6, 1, 11, d_state=3, tie_embeddings=False)
    assert untied.lm_head.weight is not untied.backbone.embedding.weight
    assert model(torch.tensor([[3, 1, 4]])).shape == (1, 3, 11)


def test_logits_do_not_depend_on_later_tokens():
    torch.manual_seed(0)
    model = MambaLMHeadModel(6, 2, 11, d_state=3)
    with torch.no_grad():
        first, other = model(torch.tensor([[1, 2, 3, 4]])), model(torch.tensor([[1, 2, 9, 9]]))
    torch.testing.assert_close(first[:, :2], other[:, :2], atol=0, rtol=0)
    assert not torch.allclose(first[:, 2:], other[:, 2:])


def test_parameters_are_named_as_in_mamba_ssm():
    names = set(MambaLMHeadModel(6, 1, 11, norm="layer").state_dict())
    assert names == {
        "backbone.embedding.weight",
        *(f"backbone.layers.0.norm.{kind}" for kind in ("weight", "bias")),
        *(f"backbone.layers.0.mixer.{name}" for name in MambaMixer(6).state_dict()),
        *(f"backbone.norm_f.{kind}" for kind in ("weight", "bias")),
        "lm_head.weight",
    }


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="rms, layer"):
        MambaModel(6, 1, norm="batch")
