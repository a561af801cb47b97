"""Recurrences that are no selective scan are refused, with a picture of what repeats."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontend_models import Shell
from looped_models import INNER, RANK, STATES, STYLES, WIDTH, Looped
from torch import nn

from scanlet.errors import RecognitionError, UnsupportedModelError
from scanlet.frontend import capture
from scanlet.frontend.reroll import rerolling

X = torch.randn(1, 6, WIDTH, generator=torch.Generator().manual_seed(0))


def refusal(model: nn.Module, x: torch.Tensor = X) -> str:
    with pytest.raises(UnsupportedModelError) as caught:
        capture(model.eval(), x)
    return str(caught.value)


def looping(step, width: int = WIDTH, **modules: nn.Module) -> nn.Module:
    def forward(m, x):
        h, out = torch.zeros(1, width), []
        for t in range(x.shape[1]):
            h = step(m, h, x[:, t])
            out.append(h)
        return torch.stack(out, 1)

    return Shell(forward, **modules)


def test_a_gru_loop_is_refused_with_its_step():
    def step(m, h, x):
        r, z = torch.sigmoid(m.a(torch.cat([x, h], -1))).chunk(2, -1)
        return (1 - z) * torch.tanh(m.b(torch.cat([x, r * h], -1))) + z * h

    text = refusal(looping(step, a=nn.Linear(2 * WIDTH, 2 * WIDTH), b=nn.Linear(2 * WIDTH, WIDTH)))
    assert "no selective scan" in text
    assert "what repeats, 6 times" in text
    assert "advancing:" in text
    assert "tanh(" in text


def test_an_lstm_loop_is_refused_for_its_two_states():
    def forward(m, x):
        h, c, out = torch.zeros(1, WIDTH), torch.zeros(1, WIDTH), []
        for t in range(x.shape[1]):
            i, f, g, o = m.gates(torch.cat([x[:, t], h], -1)).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            out.append(h)
        return torch.stack(out, 1)

    text = refusal(Shell(forward, gates=nn.Linear(2 * WIDTH, 4 * WIDTH)))
    assert "carries 2 values" in text
    assert "state1[t-1], state2[t-1]" in text


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda _, h, x: torch.tanh(torch.exp(-F.softplus(x)) * h + x), "tanh"),
        (lambda m, h, x: m.w(h) + x, "matrix product"),
        (lambda m, h, x: torch.sigmoid(m.w(x)) * h + x, "not exp(delta A)"),
        (lambda _, h, x: 0.9 * h + x, "constant factor"),
        (lambda m, h, x: torch.exp(-F.softplus(x)) * h + x * m.w(x), "step size"),
    ],
    ids=["tanh on the state", "matrix", "sigmoid decay", "constant decay", "no delta"],
)
def test_a_recurrence_that_is_no_scan_is_refused_with_the_reason(step, why):
    text = refusal(looping(step, w=nn.Linear(WIDTH, WIDTH)))
    assert why in text
    assert "state[t] = " in text


def test_a_scan_that_can_neither_be_a_mixer_nor_stand_alone_is_refused_with_what_is_missing():
    class Negative(Looped):
        def forward(self, x):
            u, _ = self.p1(x).chunk(2, dim=-1)
            dt, b, c = self.p3(u).split([RANK, STATES, STATES], dim=-1)
            return self.p7(self.scan(u, self.p4(dt), -torch.exp(self.p5), b, c))

    text = refusal(Negative(STYLES["einsums"]))
    assert f"a selective scan, but what surrounds it is no Mamba-1 mixer (d_inner {INNER}" in text
    assert f"d_state {STATES}" in text
    assert "has not gone through SiLU" in text
    assert "nor can it stand alone: delta may be negative" in text


def test_a_scan_that_does_not_start_from_zeros_is_refused():
    def scan(u, delta, a, b, c):
        h, out = torch.ones(1, INNER, STATES), []
        for t in range(u.shape[1]):
            h = torch.exp(delta[:, t, :, None] * a) * h + (delta * u)[:, t, :, None] * b[:, t, None]
            out.append((h * c[:, t, None]).sum(-1))
        return torch.stack(out, 1)

    assert "does not start from zeros" in refusal(Looped(scan))


def test_a_running_sum_is_left_to_ordinary_operators():
    model = looping(lambda m, h, x: h + m.w(x), w=nn.Linear(WIDTH, WIDTH))
    assert capture(model.eval(), X).mixers == ()


def test_a_rolled_loop_that_deviates_is_refused_with_the_measured_deviation(monkeypatch):
    original = rerolling.absorption.absorb

    def wrong(scan, readout):
        found = original(scan, readout)
        found.parameters["D"] = found.parameters["D"] + 0.5
        return found

    monkeypatch.setattr(rerolling.absorption, "absorb", wrong)
    with pytest.raises(RecognitionError, match=r"deviates by \d+\.\d+% of the largest output"):
        capture(Looped(STYLES["einsums"]).eval(), X)
