"""Files that are no checkpoints, weights that do not fit, configs of something else."""

from __future__ import annotations

import json
import os

import pytest
import torch
from checkpoint_models import MAMBA_SSM_CONFIG, hugging_face, mamba_ssm_state, saved
from safetensors.torch import save_file
from torch import nn

import scanlet
from scanlet import InputError, ModelFileError, UnsupportedModelError

FIRST = "backbone.layers.0.mixer."


def stored(path, state):
    torch.save(state, path)
    return path


def loaded(tmp_path, state, config=None):
    return scanlet.load(stored(tmp_path / "m.pt", state), config or MAMBA_SSM_CONFIG)


# -- files ------------------------------------------------------------------------------------
def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        scanlet.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors", "pytorch_model.bin"])
def test_an_empty_file(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ModelFileError, match="empty"):
        scanlet.load(tmp_path / name)


@pytest.mark.parametrize("kept", [4, 100, 0.5, 0.99])
@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
def test_a_truncated_file(tmp_path, name, kept):
    path = tmp_path / name
    if name == "m.pt":
        torch.save(mamba_ssm_state(), path)
    else:
        save_file(mamba_ssm_state(tied=False), path)
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(ModelFileError, match=r"is no readable"):
        scanlet.load(path)


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors", "m.bin"])
def test_garbage(tmp_path, name):
    (tmp_path / name).write_bytes(b"<!DOCTYPE html><title>404</title>" * 40)
    with pytest.raises(ModelFileError, match=r"is no readable"):
        scanlet.load(tmp_path / name)


def test_a_pointer_of_git_lfs(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    (tmp_path / "model.safetensors").write_text(pointer)
    with pytest.raises(ModelFileError, match="git lfs pull"):
        scanlet.load(tmp_path / "model.safetensors")


class Trap:
    """Code in a pickle: unpickling it makes a folder."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path):
    path = stored(tmp_path / "m.pt", {"A_log": torch.zeros(2, 2), "trap": Trap(tmp_path / "ran")})
    with pytest.raises(ModelFileError, match="not loaded: a pickle can run any code"):
        scanlet.load(path)
    assert not (tmp_path / "ran").exists()


def test_a_pickled_module_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="state_dict"):
        scanlet.load(stored(tmp_path / "m.pt", nn.Linear(2, 2)))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_torchscript_archive_is_named(tmp_path):
    module = torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2))
    module.save(str(tmp_path / "m.pt"))
    with pytest.raises(ModelFileError, match="TorchScript archive, not a state_dict"):
        scanlet.load(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([torch.zeros(2)], "holds list, not a state_dict"),
        (torch.zeros(2), "holds Tensor, not a state_dict"),
        ({}, "without tensors"),
        ({"epoch": 3, "lr": 0.1}, "holds no tensors"),
    ],
)
def test_a_file_without_a_state_dict(tmp_path, value, text):
    with pytest.raises(ModelFileError, match=text):
        scanlet.load(stored(tmp_path / "m.pt", value))


def test_a_program_is_not_a_checkpoint(tmp_path):
    program = torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),))
    torch.export.save(program, tmp_path / "m.pt2")
    with pytest.raises(InputError, match=r"scanlet.compile takes a \.pt2"):
        scanlet.load(tmp_path / "m.pt2")


def test_a_config_instead_of_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="JSON file, not weights"):
        scanlet.load(tmp_path / "config.json")


def test_folders_without_weights_or_with_too_many(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="holds no weights"):
        scanlet.load(tmp_path)
    for name in ("epoch1.pt", "epoch2.pt"):
        torch.save(mamba_ssm_state(), tmp_path / name)
    with pytest.raises(InputError, match=r"epoch1\.pt, epoch2\.pt"):
        scanlet.load(tmp_path)


@pytest.mark.parametrize(
    ("weight_map", "text"),
    [
        ({"a": "gone.bin"}, "the shard gone.bin is missing"),
        ({"a": "../secret.bin"}, "no plain file name"),
        ({"a": 3}, "no weight_map"),
        (None, "no weight_map"),
    ],
)
def test_an_index_that_leads_nowhere(tmp_path, weight_map, text):
    index = {"weight_map": weight_map} if weight_map else {}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFileError, match=text):
        scanlet.load(tmp_path)


def test_shards_that_lack_a_tensor(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "s.safetensors")
    index = {"weight_map": {"a": "s.safetensors", "b": "s.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFileError, match="the shards lack b"):
        scanlet.load(tmp_path)


# -- kinds ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("encoder.weight", "decoder.weight"), "not a checkpoint of a known kind: encoder.weight"),
        (("mix.A_log", "mix.in_proj.weight", "head.weight"), "there are mixers at mix"),
        (("layers.0.mixer.A_b_log", "layers.0.mixer.A_log"), "Vision Mamba"),
        (("blocks.0.op.A_logs",), "VMamba"),
        (("layers.0.mixer.B_bias", "layers.0.mixer.dt_bias"), "Mamba-3"),
        (("model.layers.0.self_attn.q_proj.weight", "model.layers.1.mamba.A_log"), "hybrid"),
    ],
)
def test_other_kinds_are_named(tmp_path, names, text):
    state = {name: torch.zeros(3, 2) for name in names}
    with pytest.raises(UnsupportedModelError, match=text):
        scanlet.load(stored(tmp_path / "m.pt", state))


def test_what_is_around_mamba_2_mixers_has_to_be_known(tmp_path):
    state = {f"blocks.0.scan.{n}": torch.zeros(6) for n in ("A_log", "D", "dt_bias")}
    with pytest.raises(UnsupportedModelError, match=r"Mamba-2 checkpoint \(6 heads\)"):
        scanlet.load(stored(tmp_path / "m.pt", state))


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64])
def test_quantized_and_complex_weights(tmp_path, dtype):
    state = mamba_ssm_state()
    state[f"{FIRST}in_proj.weight"] = state[f"{FIRST}in_proj.weight"].to(dtype)
    with pytest.raises(UnsupportedModelError, match=str(dtype).removeprefix("torch.")):
        loaded(tmp_path, state)


def test_attention_between_the_mixers(tmp_path):
    state = mamba_ssm_state() | {"backbone.layers.1.mlp.fc1.weight": torch.zeros(3, 3)}
    with pytest.raises(UnsupportedModelError, match="attention or MLPs"):
        loaded(tmp_path, state)
    with pytest.raises(UnsupportedModelError, match="attention or MLPs"):
        loaded(tmp_path, mamba_ssm_state(), MAMBA_SSM_CONFIG | {"attn_layer_idx": [1]})


# -- weights ----------------------------------------------------------------------------------
def test_missing_and_unexpected_names_are_listed(tmp_path):
    state = mamba_ssm_state() | {"score.weight": torch.zeros(2, 12)}
    del state[f"{FIRST}D"]
    with pytest.raises(ModelFileError) as caught:
        loaded(tmp_path, state)
    assert "recognised a mamba_ssm language model" in str(caught.value)
    assert f"missing: {FIRST}D;" in str(caught.value)
    assert "not expected: score.weight" in str(caught.value)


def test_only_the_first_of_many_names_are_listed(tmp_path):
    state = mamba_ssm_state() | {f"extra.{i}": torch.zeros(1) for i in range(9)}
    with pytest.raises(ModelFileError, match=r"extra\.4, and 4 more"):
        loaded(tmp_path, state)


@pytest.mark.parametrize(
    ("gone", "text"),
    [
        (lambda n: n.startswith("backbone.layers.0."), "layers 0 of 2 are missing"),
        (lambda n: n == "backbone.embedding.weight", "backbone.embedding.weight is missing"),
        (lambda n: n == f"{FIRST}A_log", f"{FIRST}A_log is missing"),
        (lambda n: n == "backbone.norm_f.weight", r"norm_f\.weight"),
    ],
)
def test_an_incomplete_model(tmp_path, gone, text):
    state = {name: value for name, value in mamba_ssm_state().items() if not gone(name)}
    with pytest.raises(ModelFileError, match=text):
        loaded(tmp_path, state)


def test_a_shape_that_does_not_fit_the_others_is_named(tmp_path):
    state = mamba_ssm_state()
    state["backbone.layers.1.mixer.x_proj.weight"] = torch.zeros(8, 24)
    with pytest.raises(ModelFileError, match=r"x_proj\.weight has shape \(8, 24\).*\(9, 24\)"):
        loaded(tmp_path, state)
    state = mamba_ssm_state() | {f"{FIRST}A_log": torch.zeros(24)}
    with pytest.raises(ModelFileError, match=r"A_log has shape \(24,\), 2 axes"):
        loaded(tmp_path, state)


# -- configs ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"d_model": 16}, r"d_model is 16, but .*in_proj\.weight has 12"),
        ({"n_layer": 3}, "n_layer is 3, but backbone.layers has 2"),
        ({"vocab_size": 100}, r"vocab_size is 100, but backbone\.embedding\.weight has 40"),
        ({"vocab_size": 37, "pad_vocab_size_multiple": 1}, "vocab_size is 37, .* has 40"),
        ({"ssm_cfg": {"d_state": 16}}, r"d_state is 16, but .*A_log has 4"),
        ({"ssm_cfg": {"d_conv": 3}}, r"d_conv is 3, but .*conv1d\.weight has 4"),
        ({"ssm_cfg": {"dt_rank": 2}}, r"dt_rank is 2, but .*dt_proj\.weight has 1"),
        ({"ssm_cfg": {"expand": 3}}, "expand is 3, .* d_model 12 and d_inner 24"),
        ({"ssm_cfg": {"bias": True}}, "bias is true, .* False"),
        ({"ssm_cfg": {"layer": "Mamba2"}}, "layer is Mamba2, .* Mamba-1"),
        ({"rms_norm": False}, "rms_norm is false, but the norms' biases make it True"),
        ({"d_model": "12"}, "d_model is '12', a positive number is expected"),
        ({"rms_norm": "yes"}, "rms_norm is 'yes', true or false is expected"),
        ({"ssm_cfg": 3}, "ssm_cfg is 3"),
        ({"hidden_size": 13}, "d_model is 12, but hidden_size is 13"),
    ],
)
def test_a_config_of_another_model_names_both_numbers(tmp_path, change, text):
    with pytest.raises(InputError, match=text):
        loaded(tmp_path, mamba_ssm_state(), MAMBA_SSM_CONFIG | change)


def test_a_config_that_ties_a_head_which_differs(tmp_path):
    with pytest.raises(InputError, match=r"tie_embeddings is true, but .*lm_head\.weight differs"):
        loaded(tmp_path, mamba_ssm_state(tied=False))


def test_a_config_that_needs_a_head_which_is_missing(tmp_path):
    state = {k: v for k, v in mamba_ssm_state().items() if k != "lm_head.weight"}
    with pytest.raises(ModelFileError, match=r"lm_head\.weight is missing, and tie_embeddings"):
        loaded(tmp_path, state, MAMBA_SSM_CONFIG | {"tie_embeddings": False})


def test_another_activation_or_model_type(tmp_path):
    folder = saved(hugging_face(), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    with pytest.raises(UnsupportedModelError, match="activation is 'gelu'"):
        scanlet.load(folder, config | {"hidden_act": "gelu"})
    with pytest.raises(UnsupportedModelError, match="model_type is 'rwkv'"):
        scanlet.load(folder, config | {"model_type": "rwkv"})


def test_inner_norms_that_the_weights_lack(tmp_path):
    state = {k.removeprefix("backbone."): v for k, v in mamba_ssm_state().items()}
    state = {k: v for k, v in state.items() if k.startswith("layers.")}
    with pytest.raises(InputError, match="inner_layernorms is true"):
        loaded(tmp_path, state, {"inner_layernorms": True})
    with pytest.raises(UnsupportedModelError, match="muP"):
        loaded(tmp_path, state, {"mup": True})


def test_a_misspelt_setting_is_a_warning(tmp_path):
    with pytest.warns(scanlet.CheckpointWarning, match="is 'norm_epsilon' meant"):
        loaded(tmp_path, mamba_ssm_state(), MAMBA_SSM_CONFIG | {"norm_epsilom": 0.1})


@pytest.mark.parametrize(
    ("content", "error"), [("{", ModelFileError), ("[1]", ModelFileError), (None, InputError)]
)
def test_a_config_file_that_cannot_be_read(tmp_path, content, error):
    if content is not None:
        (tmp_path / "c.json").write_text(content)
    with pytest.raises(error, match=r"c\.json"):
        loaded(tmp_path, mamba_ssm_state(), tmp_path / "c.json")


@pytest.mark.parametrize(("argument", "value"), [("length", 0), ("length", True), ("config", 3)])
def test_arguments_of_the_wrong_kind(tmp_path, argument, value):
    path = stored(tmp_path / "m.pt", mamba_ssm_state())
    with pytest.raises(InputError, match=argument):
        scanlet.load(path, **{argument: value})
