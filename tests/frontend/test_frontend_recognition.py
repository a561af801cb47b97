"""What looks like a mixer and is none is refused by name, with what was found."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from frontend_models import Classifier, Shell, mixer
from torch import nn

from scanlet.errors import InvalidModelError, RecognitionError, UnsupportedModelError
from scanlet.frontend import capture
from scanlet.frontend.dialects import ModuleParameters, recognise
from scanlet.nn import MambaMixer
from scanlet.nn.functional import mamba_mixer

X = torch.zeros(1, 11, 4)


def view(path: str = "net.mixer", **shapes: tuple[int, ...]) -> ModuleParameters:
    """A module known by the shapes of its parameters alone ("__" stands for a dot)."""
    tensors = {name.replace("__", "."): torch.zeros(shape) for name, shape in shapes.items()}
    children = frozenset(name.split(".")[0] for name in tensors if "." in name)
    return ModuleParameters(path, tensors, children)


@pytest.mark.parametrize(
    "name",
    [
        *("A_log", "D", "in_proj.weight", "conv1d.weight", "x_proj.weight"),
        *("dt_proj.weight", "dt_proj.bias", "out_proj.weight"),
    ],
)
def test_a_missing_parameter_is_named(name):
    model = Classifier(mixer("own"))
    *path, leaf = name.split(".")
    delattr(model.layers[0].get_submodule(".".join(path)), leaf)
    whole = dict(model.layers[0].named_parameters())
    with pytest.raises(RecognitionError, match=rf"layers\.0: .*no parameter {name}"):
        recognise(ModuleParameters("layers.0", whole))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("A_log", (12, 3, 1)),
        ("D", (11,)),
        ("in_proj.weight", (23, 6)),
        ("conv1d.weight", (12, 2, 4)),
        ("conv1d.bias", (1,)),
        ("x_proj.weight", (8, 12)),
        ("dt_proj.weight", (12,)),
        ("dt_proj.bias", (12, 1)),
        ("out_proj.weight", (6, 13)),
    ],
)
def test_an_oddly_shaped_parameter_is_named_with_its_shape(name, shape):
    whole = dict(mixer("own").named_parameters())
    assert recognise(ModuleParameters("m", whole)) is not None
    whole[name] = torch.zeros(shape)
    with pytest.raises(RecognitionError) as caught:
        recognise(ModuleParameters("m", whole))
    assert str(shape) in caught.value.message
    assert name in caught.value.message


def test_a_mixer_without_dt_proj_is_refused_by_capture():
    model = Classifier(mixer("own"))
    del model.layers[0].dt_proj
    model.layers[0].forward = lambda x: x
    with pytest.raises(RecognitionError, match=r"layers\.0.*dt_proj"):
        capture(model, X)


def test_additional_parameters_are_named():
    layer = mixer("own")
    layer.scale = nn.Parameter(torch.ones(6))
    with pytest.raises(RecognitionError, match=r"layers\.0: .*scale"):
        capture(Classifier(layer), X)


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (view(dt_bias=(4,), B_bias=(4, 1, 8), C_bias=(4, 1, 8), D=(4,)), "Mamba-3"),
        (view(A_log=(8, 4), A_b_log=(8, 4)), "Vision Mamba mixer of the first kind"),
        (view(A_logs=(32, 4), Ds=(32,), x_proj_weight=(4, 9, 8)), "VMamba"),
        (view(A_log=(2, 4, 4), x_proj_weight=(2, 9, 4), dt_proj_weight=(2, 4, 1)), "Zamba"),
        (view(A_log=(4,), dt_bias=(4,), q_proj__weight=(8, 8)), "gated delta rule"),
    ],
)
def test_other_mixers_are_refused_by_their_kind(module, kind):
    with pytest.raises(UnsupportedModelError, match=kind) as caught:
        recognise(module)
    assert caught.value.where == "net.mixer"
    assert caught.value.hint


def test_what_is_no_mixer_is_left_alone():
    for model in (nn.Linear(3, 4), nn.LSTM(3, 4), nn.TransformerEncoderLayer(4, 2)):
        assert recognise(ModuleParameters("m", dict(model.named_parameters()))) is None


class ChunkedCumsum(MambaMixer):
    """A "parallel" scan as published in places: h = P * cumsum(drive / clamp(P))."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, z = self.in_proj(x).chunk(2, -1)
        u = nn.functional.silu(self.conv1d(x.mT)[..., : x.shape[1]].mT)
        sizes = [self.dt_rank, self.d_state, self.d_state]
        dt, b, c = self.x_proj(u).split(sizes, -1)
        delta = nn.functional.softplus(self.dt_proj(dt))
        decay = delta.unsqueeze(-1) * -torch.exp(self.A_log)
        product = torch.exp(torch.cumsum(decay, 1)).clamp(min=1e-1)
        drive = (delta * u).unsqueeze(-1) * b.unsqueeze(2)
        h = product * torch.cumsum(drive / product, 1)
        y = (h * c.unsqueeze(2)).sum(-1) + self.D * u
        return self.out_proj(y * nn.functional.silu(z))


@pytest.mark.parametrize("source", ["module", "program"])
def test_a_scan_that_computes_something_else_is_refused_with_the_error(source):
    layer = ChunkedCumsum(6, d_state=3)
    layer.load_state_dict(mixer("own").state_dict())
    model = Classifier(layer)
    if source == "program":
        model = torch.export.export(model, (X,), strict=False)
    with pytest.raises(RecognitionError, match=r"layers\.0: .*deviates .* by [\d.]+%"):
        capture(model, X)


@pytest.mark.parametrize("source", ["module", "program"])
def test_an_accepted_deviation_captures_the_true_recurrence(source):
    torch.manual_seed(0)
    layer = ChunkedCumsum(6, d_state=3)
    layer.load_state_dict(mixer("own").state_dict())
    model, exact = Classifier(layer), Classifier(mixer("own"))
    exact.load_state_dict(model.state_dict())
    given = torch.export.export(model, (X,), strict=False) if source == "program" else model
    with pytest.raises(RecognitionError) as caught:
        capture(given, X)
    measured = float(re.search(r"accept_deviation=([\d.]+)", caught.value.hint).group(1))
    with pytest.raises(RecognitionError, match="is accepted"):
        capture(given, X, accept_deviation=0.5 * measured)
    captured = capture(given, X, accept_deviation=measured)
    (record,) = captured.mixers
    assert record.accepted
    assert 0.5 * measured < record.deviation <= measured
    x = np.random.default_rng(0).standard_normal((1, 11, 4)).astype(np.float32)
    with torch.no_grad():
        wanted, as_given = (m(torch.from_numpy(x)).numpy() for m in (exact, model))
    assert np.abs(wanted - as_given).max() > 1e-4
    for result in (captured.graph.evaluate([x]), captured.reference(x), captured.reference64(x)):
        np.testing.assert_allclose(result[0], wanted, atol=1e-6)
    np.testing.assert_allclose(captured.original(x)[0], as_given, atol=1e-6)


def test_what_needs_no_acceptance_is_compared_with_the_original():
    captured = capture(Classifier(mixer("own")), X, accept_deviation=0.5)
    assert captured.original is None
    assert not captured.mixers[0].accepted


class Exact(ChunkedCumsum):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        names = ("in_proj.weight", "in_proj.bias", "conv1d.weight", "conv1d.bias", "x_proj.weight")
        names += ("dt_proj.weight", "dt_proj.bias", "A_log", "D", "out_proj.weight")
        own = dict(self.named_parameters())
        return mamba_mixer(x, *(own.get(name) for name in names), None)


def test_the_class_of_a_mixer_does_not_matter():
    layer = Exact(6, d_state=3)
    assert len(capture(Classifier(layer), X).mixers) == 1


class Tuple(MambaMixer):
    def forward(self, x: torch.Tensor) -> tuple:
        return super().forward(x), None


def test_a_mixer_that_returns_something_else_is_refused():
    model = Shell(lambda m, x: m.layer(x)[0], layer=Tuple(4))
    with pytest.raises(RecognitionError, match="returns tuple"):
        capture(model, X)


def test_a_mixer_called_with_a_cache_is_refused():
    class Cached(MambaMixer):
        def forward(self, x: torch.Tensor, cache: object = None) -> torch.Tensor:
            return super().forward(x) if cache is None else x

    model = Shell(lambda m, x: m.layer(x, cache={}), layer=Cached(4))
    with pytest.raises(UnsupportedModelError, match="more than the sequence"):
        capture(model, X)


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan"), 120.0])
def test_a_damaged_a_log_is_refused_by_name(value):
    model = copy.deepcopy(Classifier(mixer("own")))
    with torch.no_grad():
        model.layers[0].A_log[2, 1] = value
    with pytest.raises(InvalidModelError, match=r"layers\.0\.A_log"):
        capture(model, X)


@pytest.mark.parametrize("name", ["in_proj", "x_proj", "conv1d"])
def test_a_mixer_that_overflows_is_not_taken_for_another_function(name):
    model = copy.deepcopy(Classifier(mixer("own")))
    with torch.no_grad():
        getattr(model.layers[0], name).weight *= 1e20
    with pytest.raises(InvalidModelError, match=r"layers\.0: becomes NaN or infinite in PyTorch"):
        capture(model, X)
