"""Loops that are a selective scan but no whole mixer become one node for the scan alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from looped_models import STYLES, Looped
from scan_models import S6, STATES, WIDTH, Backwards, Gated, WholeStreams
from torch import Tensor, nn

import scanlet
from scanlet.errors import RecognitionError, UnsupportedModelError
from scanlet.frontend import capture
from scanlet.frontend.reroll import bare
from scanlet.graph.operators import SelectiveScan


def sequence(length: int, seed: int = 0) -> Tensor:
    return torch.randn(1, length, WIDTH, generator=torch.Generator().manual_seed(seed))


def seeded(model: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return model().eval()


def refusal(model: nn.Module) -> str:
    with pytest.raises(UnsupportedModelError) as caught:
        capture(model, sequence(6))
    return str(caught.value)


@pytest.mark.parametrize("kind", [S6, WholeStreams, Backwards, Gated])
def test_a_scan_without_a_mixer_is_one_node(kind):
    model, x = seeded(kind), sequence(8)
    captured = capture(model, x)
    assert sum(isinstance(node.op, SelectiveScan) for node in captured.graph.nodes) == 1
    (record,) = captured.mixers
    assert (record.dialect, record.d_inner, record.d_state) == ("scan", WIDTH, STATES)
    assert record.deviation < 1e-5
    with torch.no_grad():
        want = model.double()(x.double()).numpy()
    (got,) = captured.graph.evaluate([x.double().numpy()])
    np.testing.assert_allclose(got, want, atol=2e-6 * np.abs(want).max())


class WithoutActivation(Looped):
    """No convolution and no SiLU ahead of the scan."""

    def enter(self, x):
        u, z = self.p1(x).chunk(2, dim=-1)
        return u, z


class Acausal(Looped):
    """The convolution sees the next step."""

    def enter(self, x):
        u, z = self.p1(x).chunk(2, dim=-1)
        u = self.p2(u.transpose(1, 2))[..., 1 : x.shape[1] + 1].transpose(1, 2)
        return F.silu(u), z


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", [WithoutActivation, Acausal])
def test_what_is_almost_a_mixer_keeps_the_scan_in_any_style(kind, style):
    torch.manual_seed(0)
    model, x = kind(STYLES[style]).eval(), sequence(6)
    captured = capture(model, x)
    assert sum(isinstance(node.op, SelectiveScan) for node in captured.graph.nodes) == 1
    with torch.no_grad():
        want = model.double()(x.double()).numpy()
    (got,) = captured.graph.evaluate([x.double().numpy()])
    np.testing.assert_allclose(got, want, atol=2e-6 * np.abs(want).max())


def test_a_convolution_that_sees_the_future_cannot_stream():
    with pytest.raises(UnsupportedModelError):
        scanlet.compile(Acausal(STYLES["einsums"]).eval(), (sequence(6),), mode="stream")


@pytest.mark.parametrize("length", [8, 64])
@pytest.mark.parametrize("kind", [S6, Backwards])
def test_the_interpreter_computes_what_pytorch_does(kind, length):
    model, x = seeded(kind), sequence(length)
    compiled = scanlet.compile(model, (x,))
    custom = [op["name"] for op in compiled.report["operators"] if op["custom"]]
    assert custom == ["SELECTIVE_SSM"]
    with torch.no_grad():
        want = model(x).numpy()
    np.testing.assert_allclose(compiled.run(x.numpy()), want, atol=1e-5 * np.abs(want).max())


def test_nodes_do_not_grow_with_the_length():
    short, long = (capture(seeded(S6), sequence(length)).graph for length in (8, 32))
    assert len(short.nodes) == len(long.nodes)


@pytest.mark.parametrize("kind", [S6, WholeStreams, Gated])
def test_any_chunking_of_a_stream_is_the_whole_sequence(kind):
    model, x = seeded(kind), sequence(12)
    compiled = scanlet.compile(model, (sequence(4),), mode="stream")
    parts = [compiled.run(x[:, at : at + 4].numpy()) for at in range(0, 12, 4)]
    with torch.no_grad():
        want = model(x).numpy()
    got = np.concatenate(parts, axis=1)
    np.testing.assert_allclose(got, want, atol=1e-5 * np.abs(want).max())


def test_a_scan_that_walks_backwards_cannot_stream():
    with pytest.raises(UnsupportedModelError, match="chunk by chunk"):
        scanlet.compile(seeded(Backwards), (sequence(8),), mode="stream")


@pytest.mark.parametrize(("precision", "decibels"), [("int8", 25), ("int16x8", 40)])
def test_at_integer_precisions_the_scan_is_a_float_island(precision, decibels):
    model, x = seeded(S6), sequence(24, seed=99)
    data = [sequence(24, seed) for seed in range(20)]
    compiled = scanlet.compile(model, (x,), precision=precision, calibration_data=data)
    reasons = [r for each in compiled.report["quantization"]["islands"] for r in each["reasons"]]
    assert any("SelectiveScan has no integer kernel" in reason for reason in reasons)
    with torch.no_grad():
        want = model(x).numpy()
    noise = compiled.run(x.numpy()) - want
    assert 10 * np.log10((want**2).mean() / (noise**2).mean()) > decibels


def test_a_step_size_that_may_be_negative_is_refused():
    class Unbounded(S6):
        def forward(self, x):
            h, out = x.new_zeros(1, WIDTH, STATES), []
            for t in range(x.shape[1]):
                u = x[:, t]
                delta = self.step_size(u)
                h = torch.exp(delta[..., None] * -torch.exp(self.rates)) * h
                h = h + (delta * u)[..., None] * self.enter(u)[:, None]
                out.append((h * self.leave(u)[:, None]).sum(-1))
            return torch.stack(out, 1)

    text = refusal(seeded(Unbounded))
    assert "nor can it stand alone: delta may be negative" in text
    assert "state[t] = " in text


def test_a_state_that_grows_is_refused():
    class Growing(S6):
        def forward(self, x):
            h, out = x.new_zeros(1, WIDTH, STATES), []
            for t in range(x.shape[1]):
                u = x[:, t]
                delta = F.softplus(self.step_size(u))
                h = torch.exp(delta[..., None] * torch.exp(self.rates)) * h
                h = h + (delta * u)[..., None] * self.enter(u)[:, None]
                out.append((h * self.leave(u)[:, None]).sum(-1))
            return torch.stack(out, 1)

    assert "A has positive values" in refusal(seeded(Growing))


def test_a_scan_that_deviates_is_refused_with_the_measured_deviation(monkeypatch):
    original = bare._choice

    def wrong(found, steps):
        node, readout = original(found, steps)
        readout.D = readout.D + 0.5
        return node, readout

    monkeypatch.setattr(bare, "_choice", wrong)
    with pytest.raises(RecognitionError, match=r"deviates by \d+\.\d+% of the largest output"):
        capture(seeded(S6), sequence(6))


def test_a_scan_whose_last_state_alone_is_read_is_refused():
    class Last(S6):
        def forward(self, x):
            h = x.new_zeros(1, WIDTH, STATES)
            for t in range(x.shape[1]):
                u = x[:, t]
                delta = F.softplus(self.step_size(u))
                h = torch.exp(delta[..., None] * -torch.exp(self.rates)) * h
                h = h + (delta * u)[..., None] * self.enter(u)[:, None]
            return (h * self.leave(u)[:, None]).sum(-1)

    assert "results are not those of all steps in order" in refusal(seeded(Last))


def test_step_sizes_may_be_another_input_of_the_model():
    class Timed(S6):
        def forward(self, x, dt):
            h, out = x.new_zeros(1, WIDTH, STATES), []
            for t in range(x.shape[1]):
                u, delta = x[:, t], F.softplus(dt[:, t])
                h = torch.exp(delta[..., None] * -torch.exp(self.rates)) * h
                h = h + (delta * u)[..., None] * self.enter(u)[:, None]
                out.append((h * self.leave(u)[:, None]).sum(-1))
            return torch.stack(out, 1)

    model, inputs = seeded(Timed), (sequence(8, 1), sequence(8, 2))
    compiled = scanlet.compile(model, inputs)
    with torch.no_grad():
        want = model(*inputs).numpy()
    got = compiled.run(*(x.numpy() for x in inputs))
    np.testing.assert_allclose(got, want, atol=1e-5 * np.abs(want).max())


def test_two_scans_in_sequence_are_two_nodes():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = S6(), WholeStreams()

        def forward(self, x):
            return self.two(x + self.one(x))

    captured = capture(seeded(Both), sequence(8))
    assert [record.path for record in captured.mixers] == ["one", "two"]
    assert sum(isinstance(node.op, SelectiveScan) for node in captured.graph.nodes) == 2
