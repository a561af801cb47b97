"""From a checkpoint to a project, in Python and in the shell; language models generate in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_models import (
    MAMBA_SSM_CONFIG,
    VOCABULARY,
    deviation,
    hugging_face,
    mamba_ssm_logits,
    mamba_ssm_state,
    mambapy_blocks,
    saved,
    tokens,
    vectors,
)

import scanlet
from scanlet.cli import main

STEPS = 24


@pytest.fixture(scope="module")
def original() -> torch.nn.Module:
    return hugging_face(tie_word_embeddings=False)  # a tied head likes to repeat its input


@pytest.fixture(scope="module")
def folder(original, tmp_path_factory) -> Path:
    return saved(original, tmp_path_factory.mktemp("hugging_face"))


@pytest.fixture(scope="module")
def generator(folder) -> scanlet.Compiled:
    return scanlet.compile(scanlet.load(folder, length=1), mode="stream", progress=False)


def greedy(model: torch.nn.Module, prompt: list[int], steps: int = STEPS) -> list[int]:
    """The continuation by the original, which reads the whole text again for every token."""
    text = list(prompt)
    with torch.no_grad():
        while len(text) < len(prompt) + steps:
            text.append(int(model(torch.tensor([text])).logits[0, -1].argmax()))
    return text[len(prompt) :]


def greedy_stream(
    compiled: scanlet.Compiled, prompt: list[int], dtype: str, steps: int = STEPS
) -> list[int]:
    """The same by the compiled model, which keeps its state and reads one token at a time."""
    compiled.reset()
    for token in prompt:
        logits = compiled.run(np.array([[token]], dtype))
    found = [int(logits[0, -1].argmax())]
    while len(found) < steps:
        found.append(int(compiled.run(np.array([[found[-1]]], dtype))[0, -1].argmax()))
    return found


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_greedy_generation_in_stream_mode_equals_that_of_transformers(original, generator, dtype):
    for prompt in ([7], [3, 1, 4, 1, 5]):
        expected = greedy(original, prompt)
        assert len(set(expected)) > 10, "a continuation that repeats itself would prove little"
        assert greedy_stream(generator, prompt, dtype) == expected


def test_a_model_of_four_layers_generates_64_tokens_with_few_operators(tmp_path):
    original = hugging_face(vocab_size=256, hidden_size=64, num_hidden_layers=4, state_size=16)
    model = scanlet.load(saved(original, tmp_path), length=1)
    compiled = scanlet.compile(model, mode="stream", progress=False)
    assert len(compiled.description.operators) <= 60
    expected = greedy(original, [3, 1, 4], 64)
    assert len(set(expected)) > 30
    assert greedy_stream(compiled, [3, 1, 4], "int64", 64) == expected


def test_tokens_are_int32_in_the_flatbuffer(generator):
    (tensor,) = generator.inputs
    assert (tensor.dtype, tensor.shape) == ("int32", (1, 1))


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (VOCABULARY, f"{VOCABULARY} rows"),
        (-1, "-1"),
        (2**32 + 1, "beyond int32"),
        (0.5, "takes integers"),
        (float("nan"), "takes integers"),
    ],
)
def test_tokens_that_are_none_are_refused(generator, token, text):
    with pytest.raises(scanlet.InputError, match=text):
        generator.run(np.array([[token]]))


def test_a_whole_sequence_of_a_mamba_ssm_checkpoint(tmp_path):
    state = mamba_ssm_state(tied=False)
    torch.save(state, tmp_path / "m.pt")
    config = MAMBA_SSM_CONFIG | {"tie_embeddings": False}
    model = scanlet.load(tmp_path / "m.pt", config, length=13)
    compiled = scanlet.compile(model, progress=False)
    logits = torch.from_numpy(compiled.run(tokens().numpy()))
    assert deviation(logits, mamba_ssm_logits(state, tokens())) < 1e-5


@pytest.mark.parametrize("mode", ["sequence", "stream"])
def test_a_falcon_mamba_checkpoint_compiles_with_its_inner_norms(tmp_path, mode):
    original = hugging_face("falcon_mamba", mixer_rms_eps=1e-2, tie_word_embeddings=False)
    model = scanlet.load(saved(original, tmp_path), length=13)
    compiled = scanlet.compile(model, mode=mode, progress=False)
    with torch.no_grad():
        expected = original(tokens()).logits
    # Verification has run before: a stream begins from zero state all the same.
    assert deviation(torch.from_numpy(compiled.run(tokens().numpy())), expected) < 1e-5


def test_weighted_inner_norms_compile(tmp_path):
    original = mambapy_blocks(inner_layernorms=True)
    torch.save(original.state_dict(), tmp_path / "m.pt")
    model = scanlet.load(tmp_path / "m.pt", {"rms_norm_eps": 1e-5}, length=13)
    compiled = scanlet.compile(model, progress=False)
    with torch.no_grad():
        expected = original(vectors(12))
    assert deviation(torch.from_numpy(compiled.run(vectors(12).numpy())), expected) < 1e-5


# -- the command line -------------------------------------------------------------------------
@pytest.fixture
def shell(monkeypatch, capsys):
    """The command line within this process: shell(*arguments) -> (output, errors)."""

    def run(*arguments: str | Path, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["scanlet", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        output, errors = capsys.readouterr()
        assert caught.value.code == code, output + errors
        return output, errors

    return run


def test_a_folder_compiles_and_runs_on_int64_tokens_of_a_file(shell, original, folder, tmp_path):
    _, errors = shell("compile", folder, "--length", "13", "-o", tmp_path / "lm")
    assert "recognised a Hugging Face Mamba language model" in errors
    assert tokens().dtype == torch.int64
    np.save(tmp_path / "x.npy", tokens().numpy())
    shell("run", tmp_path / "lm", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    with torch.no_grad():
        expected = original(tokens()).logits
    assert deviation(torch.from_numpy(np.load(tmp_path / "y.npy")), expected) < 1e-5
    _, errors = shell("compile", tmp_path / "lm", "--length", "1", "-o", tmp_path / "x", code=2)
    assert "compiled project" in errors


def test_a_file_compiles_with_a_config_of_its_own(shell, tmp_path):
    torch.save(mamba_ssm_state(), tmp_path / "m.pt")
    (tmp_path / "c.json").write_text(json.dumps(MAMBA_SSM_CONFIG))
    stream = ("--length", "1", "--mode", "stream")
    arguments = ("compile", tmp_path / "m.pt", "--config", tmp_path / "c.json", *stream)
    output, _ = shell(*arguments, "--json", "-o", tmp_path / "lm")
    report = json.loads(output)
    assert report["verification"]["max_error"] < 1e-4
    (tmp_path / "c.json").write_text(json.dumps(MAMBA_SSM_CONFIG | {"d_model": 64}))
    _, errors = shell(*arguments, "-o", tmp_path / "other", code=2)
    assert "d_model is 64" in errors
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("FOLDER",), 2, "needs --length"),
        (("FOLDER", "--length", "0"), 2, "--length"),
        (("FOLDER", "--length", "2", "--weights", "w.pt"), 2, "--weights goes with"),
        (("FOLDER", "--length", "2", "--input-shape", "1,2"), 2, "--input-shape is not"),
        (("module:factory", "--length", "2"), 2, "--length go with a checkpoint"),
        (("model.pt2", "--config", "c.json"), 2, "--length go with a checkpoint"),
        (("EMPTY", "--length", "2"), 1, "empty"),
        (("nowhere", "--length", "2"), 2, "--length go with a checkpoint"),
    ],
)
def test_a_bad_call_says_why(shell, folder, tmp_path, arguments, code, text):
    (tmp_path / "empty.pt").touch()
    places = {"FOLDER": folder, "EMPTY": tmp_path / "empty.pt"}
    resolved = (places.get(argument, argument) for argument in arguments)
    _, errors = shell("compile", *resolved, "-o", tmp_path / "out", code=code)
    assert text in errors
    assert not (tmp_path / "out").exists()
