"""Mamba-2 checkpoints compute what the model computes that was saved."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_models import VOCABULARY, deviation, disturbed, saved, tokens, vectors
from torch import nn

import scanlet
from scanlet.errors import InputError, ModelFileError, UnsupportedModelError
from scanlet.nn import Mamba2Mixer, MambaLMHeadModel

LARGEST = 1e-5
SHAPES = {"d_state": 4, "headdim": 6, "ngroups": 2}


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", scanlet.CheckpointWarning)
        yield


def hugging_face(**options: Any) -> nn.Module:
    from transformers import Mamba2Config, Mamba2ForCausalLM

    settings = {
        "vocab_size": VOCABULARY,
        "hidden_size": 12,
        "num_hidden_layers": 2,
        "num_heads": 4,
        "head_dim": 6,
        "state_size": 4,
        "n_groups": 2,
        "chunk_size": 8,
        "layer_norm_epsilon": 1e-3,
        **options,
    }
    torch.manual_seed(0)
    return disturbed(Mamba2ForCausalLM(Mamba2Config(**settings)))


@pytest.mark.parametrize(
    "options",
    [{}, {"time_step_limit": (0.3, 0.6)}, {"use_bias": True, "tie_word_embeddings": True}],
    ids=lambda options: ",".join(options) or "default",
)
def test_hugging_face_language_models(tmp_path: Path, options: dict[str, Any]) -> None:
    original = hugging_face(**options)
    model = scanlet.load(saved(original, tmp_path))
    with torch.no_grad():
        assert deviation(model(tokens()), original(tokens()).logits) < LARGEST


def mamba_ssm_model(**options: Any) -> MambaLMHeadModel:
    torch.manual_seed(1)
    model = MambaLMHeadModel(12, 2, VOCABULARY, mixer_class=Mamba2Mixer, **SHAPES, **options)
    return disturbed(model)


CONFIG: dict[str, Any] = {
    "d_model": 12,
    "n_layer": 2,
    "vocab_size": VOCABULARY,
    "ssm_cfg": {"layer": "Mamba2", **SHAPES},
    "rms_norm": True,
    "tie_embeddings": True,
}


@pytest.mark.parametrize(
    "options",
    [{}, {"dt_limit": (0.1, 0.5)}, {"norm_before_gate": True}, {"D_has_hdim": True}],
    ids=lambda options: ",".join(options) or "default",
)
def test_mamba_ssm_language_models(tmp_path: Path, options: dict[str, Any]) -> None:
    original = mamba_ssm_model(**options)
    torch.save(original.state_dict(), tmp_path / "pytorch_model.bin")
    config = CONFIG | {"ssm_cfg": {**CONFIG["ssm_cfg"], **options}}
    model = scanlet.load(tmp_path / "pytorch_model.bin", config)
    with torch.no_grad():
        assert deviation(model(tokens()), original(tokens())) < LARGEST


def test_a_bare_mixer_and_infinity_as_json_has_it(tmp_path: Path) -> None:
    torch.manual_seed(2)
    original = disturbed(Mamba2Mixer(12, **SHAPES))
    torch.save(original.state_dict(), tmp_path / "mixer.pt")
    limit = [0.0, {"__float__": "Infinity"}]
    model = scanlet.load(tmp_path / "mixer.pt", {"n_groups": 2, "time_step_limit": limit})
    assert isinstance(model, Mamba2Mixer)
    assert math.isinf(model.dt_limit[1])
    with torch.no_grad():
        assert deviation(model(vectors(12)), original(vectors(12))) < LARGEST


def test_groups_follow_from_the_states_where_the_config_has_those(tmp_path: Path) -> None:
    original = Mamba2Mixer(12, **SHAPES)
    torch.save(original.state_dict(), tmp_path / "mixer.pt")
    assert scanlet.load(tmp_path / "mixer.pt", {"d_state": 4}).ngroups == 2


def test_an_assumed_number_of_groups_is_said(tmp_path: Path) -> None:
    torch.save(Mamba2Mixer(12, **SHAPES).state_dict(), tmp_path / "mixer.pt")
    with pytest.warns(scanlet.CheckpointWarning, match="1 is assumed"):
        model = scanlet.load(tmp_path / "mixer.pt")
    assert (model.ngroups, model.d_state) == (1, 8)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"ngroups": 3}, InputError, "ngroups is 3, which does not divide"),
        ({"ngroups": 2, "d_state": 8}, InputError, "d_state is 8"),
        ({"ngroups": 2, "headdim": 8}, InputError, "headdim is 8"),
        ({"ngroups": 2, "num_heads": 8}, InputError, "num_heads is 8"),
        ({"ngroups": 2, "dt_limit": [1]}, InputError, "two numbers are expected"),
        ({"ngroups": 2, "dt_limit": [2, 1]}, InputError, "the lower one first"),
        ({"ngroups": 2, "layer": "Mamba1"}, InputError, "a Mamba-2 mixer"),
        ({"ngroups": 2, "hidden_act": "relu"}, UnsupportedModelError, "only silu"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    tmp_path: Path, config: dict[str, Any], error: type[Exception], message: str
) -> None:
    torch.save(Mamba2Mixer(12, **SHAPES).state_dict(), tmp_path / "mixer.pt")
    with pytest.raises(error, match=message):
        scanlet.load(tmp_path / "mixer.pt", config)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("out_proj.weight", None, r"out_proj\.weight is missing"),
        ("conv1d.weight", torch.zeros(41, 1, 4), "do not go together"),
        ("A_log", torch.zeros(4, 2), "1 axes are expected"),
        ("init_states", torch.zeros(4), "not expected: init_states"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, name: str, value: torch.Tensor | None, message: str
) -> None:
    state = Mamba2Mixer(12, **SHAPES).state_dict()
    state = {k: v for k, v in (state | {name: value}).items() if v is not None}
    torch.save(state, tmp_path / "mixer.pt")
    with pytest.raises(ModelFileError, match=message):
        scanlet.load(tmp_path / "mixer.pt", {"ngroups": 2})


def test_a_loaded_model_compiles(tmp_path: Path) -> None:
    original = hugging_face()
    model = scanlet.load(saved(original, tmp_path), length=9)
    compiled = scanlet.compile(model)
    x = tokens(9)
    with torch.no_grad():
        want = original(x).logits
    assert deviation(torch.from_numpy(compiled.run(x.numpy())), want) < LARGEST
