"""The trainable mixer: the same function, names and gradients as the implementations around it."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys

import pytest
import torch
from mambapy.mamba import MambaBlock, MambaConfig

from scanlet.nn import Bidirectional, MambaMixer, selective_scan

MAMBA_SSM_SHAPES = {
    "A_log": (12, 5),
    "D": (12,),
    "in_proj.weight": (24, 6),
    "conv1d.weight": (12, 1, 4),
    "conv1d.bias": (12,),
    "x_proj.weight": (11, 12),
    "dt_proj.weight": (12, 1),
    "dt_proj.bias": (12,),
    "out_proj.weight": (6, 12),
}


def pair(*, pscan: bool = False, **options) -> tuple[MambaMixer, MambaBlock]:
    """Our mixer and mambapy's with the same, not merely initial, weights."""
    torch.manual_seed(0)
    block = MambaBlock(MambaConfig(d_model=6, n_layers=1, d_state=5, pscan=pscan, **options))
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    mixer = MambaMixer(6, d_state=5, **options)
    mixer.load_state_dict(block.state_dict(), strict=True)
    return mixer, block


@pytest.mark.parametrize("options", [{}, {"bias": True}, {"conv_bias": False, "d_conv": 2}])
@pytest.mark.parametrize("length", [1, 2, 13])
def test_it_computes_what_mambapy_computes(options, length):
    mixer, block = pair(**options)
    x = torch.randn(3, length, 6)
    torch.testing.assert_close(mixer(x), block(x), atol=1e-6, rtol=1e-5)


def test_gradients_equal_those_of_mambapy():
    mixer, block = pair(pscan=True)
    x = torch.randn(2, 9, 6)
    mixer(x).square().sum().backward()
    block(x).square().sum().backward()
    theirs = dict(block.named_parameters())
    for name, parameter in mixer.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs[name].grad, atol=1e-5, rtol=1e-4)


def test_parameters_are_named_and_shaped_as_in_mamba_ssm():
    state = {name: tuple(t.shape) for name, t in MambaMixer(6, d_state=5).state_dict().items()}
    assert state == MAMBA_SSM_SHAPES


def test_constructor_defaults_are_those_of_mamba_ssm():
    parameters = inspect.signature(MambaMixer).parameters
    shared = {n: p for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY}
    assert {name: p.default for name, p in shared.items() if name != "d_model"} == {
        "d_state": 16,
        "d_conv": 4,
        "expand": 2,
        "dt_rank": "auto",
        "dt_min": 0.001,
        "dt_max": 0.1,
        "dt_init": "random",
        "dt_scale": 1.0,
        "dt_init_floor": 1e-4,
        "conv_bias": True,
        "bias": False,
    }
    assert MambaMixer(33).dt_rank == math.ceil(33 / 16)


def test_initial_step_sizes_lie_between_dt_min_and_dt_max():
    torch.manual_seed(0)
    mixer = MambaMixer(64, dt_min=0.01, dt_max=0.2)
    steps = torch.nn.functional.softplus(mixer.dt_proj.bias.detach())
    assert 0.01 * 0.999 <= float(steps.min()) < 0.03
    assert 0.1 < float(steps.max()) <= 0.2 * 1.001


def test_output_does_not_depend_on_the_future():
    mixer, _ = pair()
    x = torch.randn(1, 10, 6)
    changed = x.clone()
    changed[:, 6:] += 1.0
    with torch.no_grad():
        difference = (mixer(x) - mixer(changed)).abs().amax(dim=(0, 2))
    assert float(difference[:6].max()) == 0.0
    assert float(difference[6:].min()) > 0.0


def test_scan_follows_the_recurrence_step_by_step():
    torch.manual_seed(0)
    u, delta = torch.randn(2, 7, 3), torch.rand(2, 7, 3)
    a, b, c, d = -torch.rand(3, 4), torch.randn(2, 7, 4), torch.randn(2, 7, 4), torch.randn(3)
    y = selective_scan(u, delta, a, b, c, d)
    for batch in range(2):
        for channel in range(3):
            state = [0.0] * 4
            for t in range(7):
                step, value = float(delta[batch, t, channel]), float(u[batch, t, channel])
                expected = float(d[channel]) * value
                for n in range(4):
                    state[n] = math.exp(step * float(a[channel, n])) * state[n]
                    state[n] += step * float(b[batch, t, n]) * value
                    expected += float(c[batch, t, n]) * state[n]
                assert float(y[batch, t, channel]) == pytest.approx(expected, abs=1e-5)


def test_bidirectional_adds_a_mixer_that_reads_backwards():
    forward, backward = pair()[0], pair(d_conv=3)[0]
    x = torch.randn(1, 8, 6)
    expected = forward(x) + torch.flip(backward(torch.flip(x, [1])), [1])
    torch.testing.assert_close(Bidirectional(forward, backward)(x), expected)


def test_unknown_step_size_initialisation_is_refused():
    with pytest.raises(ValueError, match="random"):
        MambaMixer(4, dt_init="zeros")


def test_importing_scanlet_does_not_import_torch():
    code = "import sys, scanlet; assert 'torch' not in sys.modules; scanlet.nn.MambaMixer(4)"
    subprocess.run([sys.executable, "-c", code], check=True)
