"""A loaded checkpoint computes what the model computes that was saved, whoever saved it."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from checkpoint_models import (
    MAMBA_SSM_CONFIG,
    VOCABULARY,
    deviation,
    hugging_face,
    mamba_ssm_logits,
    mamba_ssm_mixer,
    mamba_ssm_state,
    mambapy_blocks,
    mambapy_language_model,
    saved,
    tokens,
    vectors,
)
from safetensors.torch import load_file, save_file

import scanlet
from scanlet.nn import MambaLMHeadModel, MambaMixer, MambaModel

LARGEST = 1e-5


@pytest.fixture(autouse=True)
def _no_warnings():
    """A checkpoint with its config needs no assumption; tests that expect one say so."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", scanlet.CheckpointWarning)
        yield


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tie_word_embeddings": False},
        {"use_bias": True, "use_conv_bias": False, "conv_kernel": 3, "time_step_rank": 5},
        {"expand": 3},
    ],
    ids=lambda options: ",".join(options) or "default",
)
@pytest.mark.parametrize("kind", ["mamba", "falcon_mamba"])
def test_hugging_face_language_models(tmp_path, kind, options):
    if kind == "falcon_mamba":
        options = {"mixer_rms_eps": 1e-2, **options}
    original = hugging_face(kind, **options)
    model = scanlet.load(saved(original, tmp_path))
    assert isinstance(model, MambaLMHeadModel)
    assert not model.training
    with torch.no_grad():
        assert deviation(model(tokens()), original(tokens()).logits) < LARGEST
    tied = model.lm_head.weight is model.backbone.embedding.weight
    assert tied == options.get("tie_word_embeddings", True)


def test_early_conversions_keep_mamba_ssms_name_for_the_embedding(tmp_path):
    """transformers renames backbone.embedding on loading; its config is in its own words."""
    original = hugging_face("falcon_mamba", mixer_rms_eps=1e-2)
    folder = saved(original, tmp_path)
    state = load_file(folder / "model.safetensors")
    renamed = {name.replace("embeddings.", "embedding."): value for name, value in state.items()}
    save_file(renamed, folder / "model.safetensors")
    with torch.no_grad():
        assert deviation(scanlet.load(folder)(tokens()), original(tokens()).logits) < LARGEST


def test_a_hugging_face_model_without_head_gives_hidden_states(tmp_path):
    original = hugging_face(head=False)
    model = scanlet.load(saved(original, tmp_path))
    assert isinstance(model, MambaModel)
    with torch.no_grad():
        expected = original(tokens()).last_hidden_state
        assert deviation(model(tokens()), expected) < LARGEST


def test_shards_are_read_through_their_index(tmp_path):
    original = hugging_face()
    folder = saved(original, tmp_path, max_shard_size="4KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    for path in (folder, folder / "model.safetensors.index.json"):
        with torch.no_grad():
            assert deviation(scanlet.load(path)(tokens()), original(tokens()).logits) < LARGEST


def test_pickled_shards_are_read_through_their_index(tmp_path):
    state = mamba_ssm_state()
    names = sorted(state)
    shards = {"a.bin": names[:9], "b.bin": names[9:]}
    for file, part in shards.items():
        torch.save({name: state[name] for name in part}, tmp_path / file)
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text(json.dumps(MAMBA_SSM_CONFIG))
    with torch.no_grad():
        logits = scanlet.load(tmp_path)(tokens())
    assert deviation(logits, mamba_ssm_logits(state, tokens())) < LARGEST


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("layer_norm", [True, False])
def test_mamba_ssm_folders(tmp_path, layer_norm, tied):
    state = mamba_ssm_state(layer_norm=layer_norm, tied=tied)
    torch.save(state, tmp_path / "pytorch_model.bin")
    config = MAMBA_SSM_CONFIG | {"rms_norm": not layer_norm, "tie_embeddings": tied}
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = scanlet.load(tmp_path)
    with torch.no_grad():
        assert deviation(model(tokens()), mamba_ssm_logits(state, tokens())) < LARGEST
    assert (model.lm_head.weight is model.backbone.embedding.weight) == tied


def test_a_d_inner_that_is_no_multiple_of_d_model(tmp_path):
    state = mamba_ssm_state(d_inner=19)
    torch.save(state, tmp_path / "m.pt")
    with torch.no_grad():
        logits = scanlet.load(tmp_path / "m.pt", MAMBA_SSM_CONFIG)(tokens())
    assert deviation(logits, mamba_ssm_logits(state, tokens())) < LARGEST


def test_a_config_file_or_dictionary_gives_the_epsilon(tmp_path):
    state = mamba_ssm_state()
    save_file({k: v for k, v in state.items() if k != "lm_head.weight"}, tmp_path / "m.safetensors")
    (tmp_path / "small.json").write_text(json.dumps({"norm_epsilon": 0.3}))
    expected = mamba_ssm_logits(state, tokens(), eps=0.3)
    for config in ({"norm_epsilon": 0.3}, tmp_path / "small.json", str(tmp_path / "small.json")):
        with torch.no_grad():
            got = scanlet.load(tmp_path / "m.safetensors", config)(tokens())
        assert deviation(got, expected) < LARGEST
    assert deviation(mamba_ssm_logits(state, tokens()), expected) > 1e-3


def test_without_a_config_the_assumed_epsilon_is_a_warning(tmp_path):
    state = mamba_ssm_state()
    torch.save(state, tmp_path / "m.pth")
    with pytest.warns(scanlet.CheckpointWarning, match="1e-05 is assumed"):
        model = scanlet.load(tmp_path / "m.pth")
    with torch.no_grad():
        assert deviation(model(tokens()), mamba_ssm_logits(state, tokens())) < LARGEST


def test_without_a_config_falcon_mamba_is_mentioned_and_can_be_chosen(tmp_path):
    original = hugging_face("falcon_mamba", layer_norm_epsilon=1e-5)
    folder = saved(original, tmp_path)
    (folder / "config.json").unlink()
    kind = scanlet.CheckpointWarning
    with pytest.warns(kind, match="1e-05"), pytest.warns(kind, match="FalconMamba has the same"):
        assumed = scanlet.load(folder)
    chosen = scanlet.load(folder, {"model_type": "falcon_mamba"})
    with torch.no_grad():
        expected = original(tokens()).logits
        assert deviation(assumed(tokens()), expected) > 1e-2
        assert deviation(chosen(tokens()), expected) < LARGEST


@pytest.mark.parametrize("inner_layernorms", [False, True])
def test_mambapy_blocks_and_language_models(tmp_path, inner_layernorms):
    config = {"rms_norm_eps": 1e-5, "inner_layernorms": inner_layernorms}
    blocks = mambapy_blocks(inner_layernorms=inner_layernorms)
    torch.save(blocks.state_dict(), tmp_path / "blocks.pt")
    model = scanlet.load(tmp_path / "blocks.pt", config)
    assert isinstance(model, MambaModel)
    with torch.no_grad():
        assert deviation(model(vectors(12)), blocks(vectors(12))) < LARGEST
    whole = mambapy_language_model(inner_layernorms=inner_layernorms)
    torch.save(whole.state_dict(), tmp_path / "lm.pt")
    with torch.no_grad():
        got = scanlet.load(tmp_path / "lm.pt", config)(tokens())
        assert deviation(got, whole(tokens())) < LARGEST


def test_a_bare_mixer(tmp_path):
    name = "backbone.layers.0.mixer."
    state = {k.removeprefix(name): v for k, v in mamba_ssm_state().items() if k.startswith(name)}
    save_file(state, tmp_path / "mixer.safetensors")
    mixer = scanlet.load(tmp_path / "mixer.safetensors", length=7)
    assert isinstance(mixer, MambaMixer)
    assert mixer.example_input_array.shape == (1, 7, 12)
    expected = mamba_ssm_mixer({k: v.double() for k, v in state.items()}, vectors(12).double())
    with torch.no_grad():
        assert deviation(mixer(vectors(12)), expected) < LARGEST


def test_a_bare_falcon_mixer_takes_its_norms_from_the_config(tmp_path):
    original = hugging_face("falcon_mamba", mixer_rms_eps=1e-2).backbone.layers[1].mixer
    torch.save(original.state_dict(), tmp_path / "mixer.pt")
    mixer = scanlet.load(tmp_path / "mixer.pt", {"mixer_rms_eps": 1e-2})
    with torch.no_grad():
        assert deviation(mixer(vectors(12)), original(vectors(12))) < LARGEST


@pytest.mark.parametrize(
    ("prefix", "removed"),
    [("model.", "model."), ("_orig_mod.module.", "module."), ("net.encoder.", "net.encoder.")],
)
def test_prefixes_of_wrappers_are_removed_and_mentioned(tmp_path, prefix, removed):
    state = mamba_ssm_state()
    torch.save({prefix + name: value for name, value in state.items()}, tmp_path / "m.pt")
    model = scanlet.load(tmp_path / "m.pt", MAMBA_SSM_CONFIG)
    with torch.no_grad():
        assert deviation(model(tokens()), mamba_ssm_logits(state, tokens())) < LARGEST
    assert any(repr(removed) in note for note in model.checkpoint_notes)


def test_a_tied_backbone_keeps_its_name_beneath_a_prefix(tmp_path):
    """Without lm_head all names share "backbone.": that is no wrapper's prefix."""
    state = {k: v for k, v in mamba_ssm_state().items() if k != "lm_head.weight"}
    torch.save({f"model.{name}": value for name, value in state.items()}, tmp_path / "m.pt")
    assert isinstance(scanlet.load(tmp_path / "m.pt", MAMBA_SSM_CONFIG), MambaLMHeadModel)


def test_a_compiled_submodule_is_seen_through(tmp_path):
    state = {k.replace(".mixer.", ".mixer._orig_mod."): v for k, v in mamba_ssm_state().items()}
    torch.save(state, tmp_path / "m.pt")
    model = scanlet.load(tmp_path / "m.pt", MAMBA_SSM_CONFIG)
    with torch.no_grad():
        expected = mamba_ssm_logits(mamba_ssm_state(), tokens())
        assert deviation(model(tokens()), expected) < LARGEST


def test_weights_are_found_in_a_training_state(tmp_path):
    state = mamba_ssm_state()
    training = {"epoch": 3, "optimizer": {"lr": 0.1}, "model_state_dict": state}
    torch.save(training, tmp_path / "last.ckpt")
    model = scanlet.load(tmp_path / "last.ckpt", MAMBA_SSM_CONFIG)
    with torch.no_grad():
        assert deviation(model(tokens()), mamba_ssm_logits(state, tokens())) < LARGEST
    assert any("'model_state_dict'" in note for note in model.checkpoint_notes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_become_float32_with_a_note(tmp_path, dtype):
    state = {name: value.to(dtype) for name, value in mamba_ssm_state().items()}
    torch.save(state, tmp_path / "m.pt")
    model = scanlet.load(tmp_path / "m.pt", MAMBA_SSM_CONFIG)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    with torch.no_grad():
        assert deviation(model(tokens()), mamba_ssm_logits(state, tokens())) < LARGEST
    assert any(str(dtype).removeprefix("torch.") in note for note in model.checkpoint_notes)


def test_our_own_models_are_loaded_from_their_state_dicts(tmp_path):
    torch.manual_seed(0)
    options = {"d_state": 4, "inner_norm_eps": 1e-4, "norm": "layer", "bias": True}
    original = MambaLMHeadModel(8, 3, VOCABULARY, tie_embeddings=False, head_bias=True, **options)
    torch.save(original.state_dict(), tmp_path / "m.pt")
    model = scanlet.load(tmp_path / "m.pt", {"norm_epsilon": 1e-5, "inner_norm_eps": 1e-4})
    with torch.no_grad():
        torch.testing.assert_close(model(tokens()), original(tokens()), atol=0, rtol=0)


def test_a_weight_file_of_a_folder_brings_its_config_along(tmp_path):
    original = hugging_face("falcon_mamba")
    model = scanlet.load(saved(original, tmp_path) / "model.safetensors")
    with torch.no_grad():
        assert deviation(model(tokens()), original(tokens()).logits) < LARGEST
    assert any("config.json beside" in note for note in model.checkpoint_notes)


def test_the_example_input_has_the_length_asked_for(tmp_path):
    torch.save(mamba_ssm_state(), tmp_path / "m.pt")
    model = scanlet.load(tmp_path / "m.pt", MAMBA_SSM_CONFIG, length=6)
    assert model.example_input_array.shape == (1, 6)
    assert model.example_input_array.dtype == torch.int64
    without = scanlet.load(tmp_path / "m.pt", MAMBA_SSM_CONFIG)
    assert getattr(without, "example_input_array", None) is None


def test_loading_leaves_the_random_numbers_alone_and_the_model_trainable(tmp_path):
    torch.save(mamba_ssm_state(), tmp_path / "m.pt")
    before = torch.random.get_rng_state()
    model = scanlet.load(tmp_path / "m.pt", MAMBA_SSM_CONFIG)
    assert torch.equal(before, torch.random.get_rng_state())
    model(tokens()).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
