"""A mixer that is no selective scan: refused, or compiled as one with what that changes stated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import scanlet
from scanlet.cli import app
from scanlet.errors import InputError, RecognitionError
from scanlet.nn import MambaMixer

LENGTH, FEATURES, CLASSES = 16, 6, 3


class ChunkedScan(MambaMixer):
    """A scan as published in places: chunks of cumulative sums, the decay's product clamped."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, z = self.in_proj(x).chunk(2, -1)
        u = nn.functional.silu(self.conv1d(x.mT)[..., : x.shape[1]].mT)
        dt, b, c = self.x_proj(u).split([self.dt_rank, self.d_state, self.d_state], -1)
        delta = nn.functional.softplus(self.dt_proj(dt))
        decay = delta.unsqueeze(-1) * -torch.exp(self.A_log)
        drive = (delta * u).unsqueeze(-1) * b.unsqueeze(2)
        carried = torch.zeros_like(drive[:, 0])
        states = []
        for part, new in zip(decay.split(8, 1), drive.split(8, 1), strict=True):
            product = torch.exp(torch.cumsum(part, 1)).clamp(min=0.05)
            inside = product * (torch.cumsum(new / product, 1) + carried.unsqueeze(1))
            carried = inside[:, -1]
            states.append(inside)
        y = (torch.cat(states, 1) * c.unsqueeze(2)).sum(-1) + self.D * u
        return self.out_proj(y * nn.functional.silu(z))


class Net(nn.Module):
    def __init__(self, mixer: nn.Module) -> None:
        super().__init__()
        self.mixer = mixer
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(x).mean(1))


def approximate() -> nn.Module:
    torch.manual_seed(0)
    mixer = ChunkedScan(FEATURES, d_state=4, dt_min=0.3, dt_max=0.6)
    with torch.no_grad():  # the scan's share of the output
        mixer.D.zero_()
        mixer.x_proj.weight.mul_(4)
    net = Net(mixer).eval()
    net.example_input_array = torch.zeros(1, LENGTH, FEATURES)
    return net


def exact() -> nn.Module:
    net = approximate()
    mixer = MambaMixer(FEATURES, d_state=4)
    mixer.load_state_dict(net.mixer.state_dict())
    net.mixer = mixer.eval()
    return net


def test_it_is_refused_with_the_measured_deviation() -> None:
    with pytest.raises(RecognitionError, match=r"mixer: .*deviates .* by \d+\.\d+%") as caught:
        scanlet.compile(approximate(), progress=False)
    assert "accept_deviation=" in caught.value.hint


def test_accepted_it_computes_the_true_recurrence_and_says_what_changes() -> None:
    compiled = scanlet.compile(approximate(), target="generic", accept_deviation=2, progress=False)
    x = torch.randn(1, LENGTH, FEATURES, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted, given = exact()(x).numpy(), approximate()(x).numpy()
    scale = abs(wanted).max()
    assert abs(compiled.run(x.numpy()) - wanted).max() < 1e-5 * scale
    assert abs(given - wanted).max() > 1e-3 * scale
    report = compiled.report
    (mixer,) = report["mixers"]
    assert mixer["accepted"]
    assert mixer["deviation"] > 0.01
    original = report["verification"]["original"]
    assert original["max_error"] > 1e-3 * original["scale"]
    assert report["verification"]["max_error"] < 1e-5 * original["scale"]
    (warning,) = [text for text in report["warnings"] if "true recurrence" in text]
    assert f"mixer by {mixer['deviation']:.2%}" in warning


def test_an_exact_mixer_needs_no_acceptance() -> None:
    compiled = scanlet.compile(exact(), target="generic", accept_deviation=0.5, progress=False)
    assert compiled.report["verification"]["original"] is None
    assert compiled.report["mixers"][0]["accepted"] is False
    assert compiled.report["warnings"] == []


@pytest.mark.parametrize("value", [0, -0.1, float("nan"), float("inf"), True, "much"])
def test_an_odd_acceptance_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="accept_deviation is"):
        scanlet.compile(exact(), accept_deviation=value, progress=False)


def test_the_command_line_takes_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    command = ["compile", f"{__name__}:approximate", "-o", str(project), "--target", "generic"]
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, RecognitionError)
    accepted = CliRunner().invoke(app, [*command, "--accept-deviation", "2"])
    assert accepted.exit_code == 0, accepted.output
    report = json.loads((project / "report.json").read_text())
    assert report["mixers"][0]["accepted"]
    assert "the given code" in (project / "report.html").read_text()
