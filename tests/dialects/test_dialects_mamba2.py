"""Mamba-2 in every naming: recognised, verified, and refused where something does not fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from mamba2_originals import MambaSsm2, mambapy_mamba2
from torch import Tensor, nn
from transformers import Mamba2Config, Mamba2ForCausalLM, Mamba2Model

from scanlet.errors import RecognitionError, UnsupportedModelError
from scanlet.frontend import Capture, capture
from scanlet.graph.operators import Mamba2
from scanlet.nn import Mamba2Mixer

TOLERANCE = 1e-5

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "groups": {"ngroups": 2},
    "D a channel": {"D_has_hdim": True},
    "no norm": {"rmsnorm": False},
    "norm ahead of the gate": {"norm_before_gate": True, "ngroups": 2},
    "limits of dt": {"dt_limit": (0.3, 0.8)},
    "every bias": {"bias": True},
    "no conv bias": {"conv_bias": False},
}


def check(model: nn.Module, *inputs: Tensor) -> Capture:
    """The graph computes what the model does."""
    captured = capture(model, inputs)
    with torch.no_grad():
        want = model(*inputs)
    want = want if isinstance(want, Tensor) else want[0]
    (got,) = captured.graph.evaluate([x.numpy() for x in inputs])
    assert np.abs(got - want.numpy()).max() <= TOLERANCE * np.abs(want.numpy()).max()
    assert all(record.dialect == "mamba2" for record in captured.mixers)
    assert all((record.deviation or 0) < TOLERANCE for record in captured.mixers)
    return captured


def mixers(captured: Capture) -> list[Mamba2]:
    return [node.op for node in captured.graph.nodes if isinstance(node.op, Mamba2)]


@pytest.mark.parametrize("case", OPTIONS)
def test_mamba_ssm_mamba2_is_recognised_with_every_option(case: str) -> None:
    torch.manual_seed(0)
    model = MambaSsm2(16, **OPTIONS[case]).eval()
    (op,) = mixers(check(model, torch.randn(1, 9, 16)))
    least, most = OPTIONS[case].get("dt_limit", (0.0, None))
    assert (op.groups, op.dt_min, op.dt_max) == (OPTIONS[case].get("ngroups", 1), least, most)


@pytest.mark.parametrize("case", OPTIONS)
def test_the_trainable_mixer_loads_mamba_ssms_state_and_computes_the_same(case: str) -> None:
    torch.manual_seed(1)
    original = MambaSsm2(16, **OPTIONS[case]).eval()
    ours = Mamba2Mixer(16, d_state=8, headdim=8, **OPTIONS[case]).eval()
    ours.load_state_dict(original.state_dict())
    x = torch.randn(1, 9, 16)
    torch.testing.assert_close(ours(x), original(x), rtol=1e-5, atol=1e-6)
    check(ours, x)


def test_the_trainable_mixer_trains() -> None:
    torch.manual_seed(2)
    mixer = Mamba2Mixer(8, d_state=4, headdim=4)
    x, target = torch.randn(4, 12, 8), torch.randn(4, 12, 8)
    optimizer = torch.optim.Adam(mixer.parameters(), 3e-3)
    losses = []
    for _ in range(20):
        loss = (mixer(x) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.95 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in mixer.parameters())


def tiny(**changes: Any) -> Mamba2Config:
    shapes = {"hidden_size": 16, "num_heads": 4, "head_dim": 8, "state_size": 8, "n_groups": 2}
    return Mamba2Config(
        **(shapes | {"vocab_size": 32, "num_hidden_layers": 2, "chunk_size": 8} | changes)
    )


@pytest.mark.parametrize(
    "changes",
    [{}, {"time_step_limit": (0.2, 0.6)}, {"use_bias": True, "n_groups": 1}],
    ids=["default", "limits", "biases"],
)
def test_transformers_models_of_tokens_are_recognised(changes: dict[str, Any]) -> None:
    torch.manual_seed(3)
    model = Mamba2ForCausalLM(tiny(**changes)).eval()
    captured = check(model, torch.randint(0, 32, (1, 11)))
    assert len(mixers(captured)) == 2


def test_the_backbone_of_transformers_alone_is_recognised() -> None:
    torch.manual_seed(4)
    assert len(mixers(check(Mamba2Model(tiny()).eval(), torch.randint(0, 32, (1, 5))))) == 2


@pytest.mark.parametrize("fused", [True, False])
def test_mambapys_mamba2_is_recognised(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its fused path normalizes in groups, the other one over all channels: told apart by trying.
    package = mambapy_mamba2(monkeypatch)
    torch.manual_seed(5)
    config = package.Mamba2Config(
        d_model=32, n_layers=2, d_head=8, d_state=8, n_groups=2, use_mem_eff_path=fused
    )
    captured = check(package.Mamba2(config).eval(), torch.randn(1, 7, 32))
    assert [op.norm_groups for op in mixers(captured)] == [2 if fused else 1] * 2


def test_a_program_has_no_attributes_so_groups_and_norm_are_found_by_trying() -> None:
    torch.manual_seed(6)
    model = MambaSsm2(16, ngroups=2, norm_before_gate=True).eval()
    x = torch.randn(1, 9, 16)
    program = torch.export.export(nn.Sequential(nn.Linear(16, 16), model).eval(), (x,))
    captured = capture(program, (x,))
    (op,) = mixers(captured)
    assert (op.groups, op.norm_groups, op.norm_before_gate) == (2, 2, True)


def test_a_mixer_with_other_limits_than_it_says_is_refused() -> None:
    torch.manual_seed(7)
    model = MambaSsm2(16, dt_limit=(0.5, 0.6)).eval()
    model.dt_limit = (0.5, 0.6)

    class Hidden(nn.Module):
        """No attribute says what the limits are."""

        def __init__(self) -> None:
            super().__init__()
            for name, child in model.named_children():
                self.add_module(name, child)
            for name, parameter in model.named_parameters(recurse=False):
                self.register_parameter(name, parameter)

        def forward(self, x: Tensor) -> Tensor:
            return model(x)

    with pytest.raises(RecognitionError, match="mamba2 mixer, but computes something else"):
        capture(Hidden().eval(), (torch.randn(1, 9, 16),))


def test_a_gated_mlp_beside_the_scan_is_refused() -> None:
    model = MambaSsm2(16)
    model.in_proj = nn.Linear(16, model.in_proj.out_features + 2 * 8)
    with pytest.raises(UnsupportedModelError, match="gated MLP beside it") as caught:
        capture(nn.Sequential(nn.Identity(), _Never(model)).eval(), (torch.randn(1, 4, 16),))
    assert "d_ssm=None" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("dt_bias", torch.zeros(3), r"dt_bias has shape \(3,\)"),
        ("D", torch.zeros(5), r"D has shape \(5,\)"),
        ("init_states", torch.zeros(4), "also has init_states"),
        ("conv1d.weight", torch.zeros(49, 1, 4), "do not go together"),
        ("A_log", torch.zeros(5), "do not go together"),
        ("out_proj.weight", torch.zeros(32), "has 2 axes"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(name: str, tensor: Tensor, message: str) -> None:
    model = MambaSsm2(16)
    holder, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(holder), leaf, nn.Parameter(tensor))
    with pytest.raises(RecognitionError, match=message):
        capture(_Never(model).eval(), (torch.randn(1, 4, 16),))


def test_a_mixer_without_its_skip_is_refused() -> None:
    model = MambaSsm2(16)
    del model.D
    with pytest.raises(RecognitionError, match="has no parameter D"):
        capture(_Never(model).eval(), (torch.randn(1, 4, 16),))


def test_constructor_arguments_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="headdim 5"):
        Mamba2Mixer(16, headdim=5)
    assert math.isinf(Mamba2Mixer(16, headdim=8).dt_limit[1])


class _Never(nn.Module):
    """Holds a mixer that cannot run: recognition comes before."""

    def __init__(self, mixer: nn.Module) -> None:
        super().__init__()
        self.mixer = mixer

    def forward(self, x: Tensor) -> Tensor:
        return x + 1
