"""What tells dialects apart: inner norms and their eps, two directions, arguments that are nothing.

Dialects are compared with their originals in tests/dialects; here it is what a module or a program
does not say by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontend_models import Classifier, Shell, assert_captured_exactly, mixer, spread
from torch import nn

from scanlet.errors import RecognitionError, UnsupportedModelError
from scanlet.frontend import Capture, capture
from scanlet.graph.operators import Flip, SelectiveSSM
from scanlet.nn import MambaMixer
from scanlet.nn.functional import mamba_mixer

X = torch.zeros(1, 11, 4)
ARGUMENTS = (
    *("in_proj.weight", "in_proj.bias", "conv1d.weight", "conv1d.bias", "x_proj.weight"),
    *("dt_proj.weight", "dt_proj.bias", "A_log", "D", "out_proj.weight", "out_proj.bias"),
)


class Normed(MambaMixer):
    """Inner norms of any kind under Jamba's names."""

    def __init__(self, norm: Any, sizes: tuple[int, int, int] | None = None) -> None:
        super().__init__(6, d_state=3)
        sizes = sizes or (self.dt_rank, self.d_state, self.d_state)
        self.dt_layernorm, self.b_layernorm, self.c_layernorm = (norm(size) for size in sizes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from scanlet.nn.functional import selective_scan

        u, z = self.in_proj(x).chunk(2, -1)
        u = F.silu(self.conv1d(u.mT)[..., : x.shape[1]].mT)
        dt, b, c = self.x_proj(u).split([self.dt_rank, self.d_state, self.d_state], -1)
        dt, b, c = self.dt_layernorm(dt), self.b_layernorm(b), self.c_layernorm(c)
        y = selective_scan(u, F.softplus(self.dt_proj(dt)), -self.A_log.exp(), b, c, self.D)
        return self.out_proj(y * F.silu(z))


class RmsNorm(nn.Module):
    """A norm whose eps is in its code alone."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


def taken(model: nn.Module, source: str) -> Capture:
    if source == "module":
        return assert_captured_exactly(model, X, atol=1e-6)
    captured = capture(torch.export.export(model, (X,), strict=False))
    x = np.random.default_rng(0).standard_normal(X.shape)
    (got,), (want,) = captured.graph.evaluate([x]), captured.reference64(x)
    np.testing.assert_allclose(got, want, atol=1e-6)
    return captured


def operators(captured: Capture) -> list[SelectiveSSM]:
    return [node.op for node in captured.graph.nodes if isinstance(node.op, SelectiveSSM)]


@pytest.mark.parametrize("source", ["module", "program"])
@pytest.mark.parametrize(
    ("norm", "eps"),
    [
        (lambda size: nn.RMSNorm(size, eps=3e-3), 3e-3),
        (nn.RMSNorm, float(torch.finfo(torch.float32).eps)),
        (RmsNorm, 1e-6),
        (lambda size: nn.RMSNorm(size, eps=1e-4, elementwise_affine=False), 1e-4),
    ],
)
def test_the_eps_of_inner_norms_is_found(norm: Any, eps: float, source: str) -> None:
    captured = taken(Classifier(spread(Normed(norm))), source)
    (op,) = operators(captured)
    assert op.inner_norm == "rms"
    assert op.inner_norm_eps == pytest.approx(eps)
    (record,) = captured.mixers
    assert record.inner_norm
    assert record.deviation < 1e-5


def test_norms_of_another_kind_are_refused() -> None:
    with pytest.raises(RecognitionError, match=r"b_layernorm\.bias.*"):
        capture(Classifier(spread(Normed(nn.LayerNorm))), X)


def test_a_norm_of_another_size_is_refused() -> None:
    layer = spread(Normed(nn.RMSNorm, sizes=(1, 2, 3)))
    with pytest.raises(RecognitionError, match=r"b_layernorm\.weight: .*\(2,\).*\(3,\)"):
        capture(Shell(lambda m, x: x + 0 * m.a.A_log.sum(), a=layer), X)


def test_norms_on_a_part_only_are_refused() -> None:
    layer = spread(Normed(nn.RMSNorm))
    layer.dt_layernorm = None
    layer.forward = lambda x: x
    with pytest.raises(RecognitionError, match="has no dt_layernorm"):
        capture(Classifier(layer), X)


def test_different_eps_are_refused() -> None:
    layer = spread(Normed(nn.RMSNorm))
    layer.b_layernorm.eps = 1e-2
    with pytest.raises(UnsupportedModelError, match=r"different eps: .*b_layernorm 0\.01"):
        capture(Classifier(layer), X)


class TwoWays(MambaMixer):
    """Vision Mamba's parameters; whether the output is halved is not said by any attribute."""

    def __init__(self, halved: bool) -> None:
        super().__init__(6, d_state=3, bias=True)
        other = MambaMixer(6, d_state=3)
        self.A_b_log, self.D_b = other.A_log, other.D
        self.conv1d_b, self.x_proj_b, self.dt_proj_b = other.conv1d, other.x_proj, other.dt_proj
        self.halving = [0.5] if halved else []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        own = dict(self.named_parameters())
        back = {
            **{name: own[name.replace(".", "_b.")] for name in ARGUMENTS[2:7]},
            **{"A_log": own["A_b_log"], "D": own["D_b"]},
        }
        ahead = mamba_mixer(x, *(own[name] for name in ARGUMENTS))
        behind = mamba_mixer(x.flip(1), *(back.get(name, own[name]) for name in ARGUMENTS)).flip(1)
        both = ahead + behind - self.out_proj.bias
        return (both + self.out_proj.bias) / 2 if self.halving else both


@pytest.mark.parametrize("source", ["module", "program"])
@pytest.mark.parametrize("halved", [False, True])
def test_two_directions_become_two_mixers_that_share_in_proj(halved: bool, source: str) -> None:
    captured = taken(Classifier(spread(TwoWays(halved))), source)
    mixers = [node for node in captured.graph.nodes if isinstance(node.op, SelectiveSSM)]
    assert len(mixers) == 2
    shared = [{t.name for t in node.inputs[1:]} for node in mixers]
    assert {"layers.0.in_proj.weight", "layers.0.out_proj.weight"} <= shared[0] & shared[1]
    assert "layers.0.out_proj.bias" in shared[0] ^ shared[1]
    assert sum(isinstance(node.op, Flip) for node in captured.graph.nodes) == 2
    (record,) = captured.mixers
    assert record.bidirectional
    assert record.dialect == "vision_mamba"


class Masked(MambaMixer):
    """As transformers calls its mixers."""

    def forward(
        self,
        hidden_states: torch.Tensor,
        cache_params: Any = None,
        attention_mask: torch.Tensor | None = None,
        train: bool = True,
    ) -> torch.Tensor:
        assert cache_params is None or cache_params == (1, 2)
        if attention_mask is not None:
            hidden_states = hidden_states * attention_mask[:, :, None]
        return super().forward(hidden_states) * (1.0 + train)


def masked(function: Any) -> nn.Module:
    return Shell(function, layer=Masked(4, d_state=3))


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.layer(x, None, None, False),
        lambda m, x: m.layer(hidden_states=x, cache_params=None, train=False),
        lambda m, x: m.layer(x, attention_mask=torch.ones(1, 11), train=False),
        lambda m, x: m.layer(x, attention_mask=torch.ones_like(x[..., 0]), train=False),
        lambda m, x: m.layer(x, attention_mask=torch.ones(1, 11, dtype=torch.bool), train=0),
    ],
)
def test_arguments_that_are_nothing_are_accepted(function: Any) -> None:
    captured = assert_captured_exactly(masked(function), X)
    assert len(operators(captured)) == 1


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda m, x: m.layer(x, train=False, cache_params=(1, 2)), "more than the sequence"),
        (lambda m, x: m.layer(x, None, torch.tensor([[0.0] + 10 * [1.0]]), False), "not all ones"),
        (lambda m, x: m.layer(x, None, F.relu(x[..., 0]), False), "depends on the inputs"),
    ],
)
def test_arguments_that_change_the_output_are_refused(function: Any, words: str) -> None:
    with pytest.raises(UnsupportedModelError, match=words):
        capture(masked(function), X)


def test_an_argument_that_is_false_is_passed_on_when_the_mixer_is_compared() -> None:
    with pytest.raises(RecognitionError, match="computes something else"):
        capture(masked(lambda m, x: m.layer(x)), X)  # doubled: train is true


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64, torch.float64])
def test_weights_of_other_types_are_refused_by_name(dtype: torch.dtype) -> None:
    from scanlet.errors import InvalidModelError

    layer = mixer("own")
    layer.D = nn.Parameter(layer.D.to(dtype))
    layer.forward = lambda x: x
    with pytest.raises(InvalidModelError, match=str(dtype).split(".")[1]) as caught:
        capture(Classifier(layer), X)
    assert caught.value.where == "layers.0.D"
    assert ("real diagonal" if dtype.is_complex else "model.float()") in caught.value.hint
