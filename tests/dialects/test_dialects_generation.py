"""A Hugging Face language model generates in stream mode what it generates in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

import scanlet
from scanlet.errors import InputError

PROMPT, NEW_TOKENS, TOKENS = 8, 64, 256


@pytest.fixture(scope="module")
def model() -> MambaForCausalLM:
    """Four layers with weights large enough that the text does not repeat itself at once."""
    torch.manual_seed(0)
    config = MambaConfig(vocab_size=TOKENS, hidden_size=64, num_hidden_layers=4)
    model = MambaForCausalLM(config).eval()
    with torch.no_grad():
        for layer in model.backbone.layers:
            layer.norm.weight.add_(0.2 * torch.randn_like(layer.norm.weight))
            layer.mixer.out_proj.weight.mul_(8)
            layer.mixer.x_proj.weight.mul_(2)
    return model


@pytest.fixture(scope="module")
def compiled(model: MambaForCausalLM) -> scanlet.Compiled:
    token = torch.zeros(1, 1, dtype=torch.int64)
    return scanlet.compile(model, token, mode="stream", target="generic", progress=False)


def continued(compiled: scanlet.Compiled, prompt: list[int], dtype: str) -> list[int]:
    compiled.reset()
    text = list(prompt)
    for token in prompt:
        logits = compiled.run(np.array([[token]], dtype))
    while len(text) < PROMPT + NEW_TOKENS:
        text.append(int(logits[0, -1].argmax()))
        logits = compiled.run(np.array([[text[-1]]], dtype))
    return text


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_the_greedy_continuation_is_that_of_transformers(
    model: MambaForCausalLM, compiled: scanlet.Compiled, dtype: str
) -> None:
    prompt = torch.randint(0, TOKENS, (1, PROMPT), generator=torch.Generator().manual_seed(0))
    wanted = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=NEW_TOKENS,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    assert len(set(wanted[0, PROMPT:].tolist())) > 10, "a text of one token proves little"
    assert continued(compiled, prompt[0].tolist(), dtype) == wanted[0].tolist()


def test_it_takes_few_operators_and_stores_tied_weights_once(
    model: MambaForCausalLM, compiled: scanlet.Compiled
) -> None:
    assert len(compiled.report["operators"]) <= 60
    assert compiled.inputs[0].dtype == "int32"
    assert model.lm_head.weight is model.backbone.embeddings.weight
    weights = sum(4 * parameter.numel() for parameter in model.parameters())  # tied ones once
    assert compiled.report["sizes"]["weights_bytes"] < 1.05 * weights


def test_a_token_beyond_the_vocabulary_is_refused(compiled: scanlet.Compiled) -> None:
    with pytest.raises(InputError, match="256"):
        compiled.run(np.array([[TOKENS]]))


def test_the_caches_of_the_users_model_stay_on(
    model: MambaForCausalLM, compiled: scanlet.Compiled
) -> None:
    assert compiled.report["mixers"]
    assert model.config.use_cache
    assert model(torch.zeros(1, 3, dtype=torch.int64)).cache_params is not None
