"""Mamba-2 and diagonal models from PyTorch to the interpreter, in every precision and mode."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import Mamba2Config, Mamba2ForCausalLM

import scanlet
from scanlet.nn import DiagonalSSM, Mamba2Mixer

LENGTH, FEATURES = 24, 5
TOLERANCE = 1e-5


class Network(nn.Module):
    """Linear, a residual block, Linear; of each step."""

    def __init__(self, mixer: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Linear(FEATURES, 16)
        self.norm = nn.RMSNorm(16, eps=1e-5)
        self.mixer = mixer
        self.outer = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(x)
        return self.outer(x + self.mixer(self.norm(x)))


KINDS = {
    "mamba2": lambda: Mamba2Mixer(16, d_state=8, headdim=8, ngroups=2, dt_limit=(0.0, 0.5)),
    "complex": lambda: DiagonalSSM(16, 8),
    "real": lambda: DiagonalSSM(16, 8, complex=False),
}


@cache
def network(kind: str) -> nn.Module:
    torch.manual_seed(0)
    return Network(KINDS[kind]()).eval()


def sequence(seed: int = 0, length: int = LENGTH) -> Tensor:
    return torch.randn(1, length, FEATURES, generator=torch.Generator().manual_seed(seed))


def expected(kind: str, x: Tensor) -> np.ndarray:
    with torch.no_grad():
        return network(kind)(x).numpy()


def close(got: np.ndarray, want: np.ndarray) -> bool:
    return bool(np.abs(got - want).max() <= TOLERANCE * np.abs(want).max())


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_computes_what_pytorch_does(kind: str) -> None:
    compiled = scanlet.compile(network(kind), (sequence(),))
    custom = [op for op in compiled.report["operators"] if op["custom"]]
    assert [op["name"] for op in custom] == ["SELECTIVE_SSM"]
    for seed in (1, 2, 3):
        x = sequence(seed)
        assert close(compiled.run(x.numpy()), expected(kind, x))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_any_chunking_of_a_stream_is_bit_identical(kind: str, chunk: int) -> None:
    x = sequence(4).numpy()
    whole = scanlet.compile(network(kind), (sequence(),), mode="stream").run(x)
    assert close(whole, expected(kind, sequence(4)))
    compiled = scanlet.compile(network(kind), (sequence(length=chunk),), mode="stream")
    for _ in range(2):
        parts = [compiled.run(x[:, at : at + chunk]) for at in range(0, LENGTH, chunk)]
        assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()
        compiled.reset()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_at_integer_precisions_the_layer_is_a_float_island(kind: str, precision: str) -> None:
    data = [sequence(seed) for seed in range(10, 30)]
    compiled = scanlet.compile(
        network(kind), (sequence(),), precision=precision, calibration_data=data
    )
    (island,) = [
        island
        for island in compiled.report["quantization"]["islands"]
        if "mixer" in island["modules"]
    ]
    name = "Mamba2" if kind == "mamba2" else "DiagonalSSM"
    assert any(f"{name} has no integer kernel" in reason for reason in island["reasons"])
    x, want = sequence(40), expected(kind, sequence(40))
    bound = 0.1 if precision == "int8" else 0.005
    assert np.abs(compiled.run(x.numpy()) - want).max() <= bound * np.abs(want).max()


@pytest.mark.parametrize("core", ["cortex-m7", "rv32imc"])
def test_the_generic_library_computes_the_same_on_a_core(core: str) -> None:
    x = sequence(5)
    for kind in ("mamba2", "complex"):
        compiled = scanlet.compile(network(kind), (sequence(),))
        assert close(compiled.run(x.numpy(), on=core), expected(kind, x))


def test_a_model_of_tokens_continues_a_stream_as_transformers_does() -> None:
    torch.manual_seed(6)
    shapes = {"hidden_size": 32, "num_heads": 8, "head_dim": 8, "state_size": 16, "n_groups": 2}
    config = Mamba2Config(vocab_size=48, num_hidden_layers=2, chunk_size=16, **shapes)
    model = Mamba2ForCausalLM(config).eval()
    tokens = torch.randint(0, 48, (1, 8))
    compiled = scanlet.compile(model, (tokens[:, :1],), mode="stream")
    logits = [compiled.run(tokens[:, t : t + 1].numpy()) for t in range(8)]
    with torch.no_grad():
        assert close(np.concatenate(logits, axis=1), model(tokens).logits.numpy())
        generated = []
        for _ in range(16):
            generated.append(int(model(tokens).logits[0, -1].argmax()))
            tokens = torch.cat([tokens, torch.tensor([[generated[-1]]])], dim=1)
    ours = []
    last = logits[-1]
    for _ in range(16):
        ours.append(int(last[0, -1].argmax()))
        last = compiled.run(np.array([[ours[-1]]]))
    assert ours == generated


def test_there_is_no_naive_form_to_compare_with() -> None:
    compiled = scanlet.compile(network("real"), (sequence(),))
    with pytest.raises(scanlet.UnsupportedModelError, match="no naive transcription of Diagonal"):
        compiled.measure(sequence().numpy(), on="cortex-m4", naive=True)


def test_a_saved_model_opens_and_runs_again(tmp_path: Path) -> None:
    compiled = scanlet.compile(network("mamba2"), (sequence(),))
    compiled.save(tmp_path / "model")
    x = sequence(7).numpy()
    assert scanlet.open(tmp_path / "model").run(x).tobytes() == compiled.run(x).tobytes()


def test_both_directions_are_one_operator_each() -> None:
    class BothWays(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ahead, self.back = (Mamba2Mixer(8, d_state=4, headdim=4) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.ahead(x) + self.back(x.flip(1)).flip(1)

    torch.manual_seed(8)
    model = BothWays().eval()
    x = torch.randn(1, 12, 8)
    compiled = scanlet.compile(model, (x,))
    assert [op["name"] for op in compiled.report["operators"]] == [
        "SELECTIVE_SSM",
        "SELECTIVE_SSM",
        "ADD",
    ]
    with torch.no_grad():
        assert close(compiled.run(x.numpy()), model(x).numpy())
