"""A mixer that is almost one is compiled, and the user hears what it costs."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from looped_models import Looped, broadcasting
from scan_models import S6, WIDTH, WholeStreams
from torch import nn

import scanlet
from scanlet.errors import ScanletWarning
from scanlet.nn import MambaMixer


class WithoutActivation(Looped):
    """No SiLU between the convolution and the scan."""

    def enter(self, x):
        u, z = self.p1(x).chunk(2, dim=-1)
        return self.p2(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2), z


class WithTanh(Looped):
    """Another activation ahead of the scan."""

    def enter(self, x):
        u, z = super().enter(x)
        return torch.tanh(u), F.silu(z)


def compiled(model: nn.Module, width: int) -> scanlet.Compiled:
    torch.manual_seed(0)
    x = torch.randn(1, 6, width)
    return scanlet.compile(model.eval(), x, target="generic", progress=False)


@pytest.mark.parametrize("kind", [WithoutActivation, WithTanh])
def test_a_mixer_that_is_almost_one_is_named_with_what_differs(kind):
    torch.manual_seed(0)
    model = nn.Sequential()
    model.add_module("mixer", kind(broadcasting))
    with pytest.warns(ScanletWarning, match="is computed as a bare selective scan") as caught:
        result = compiled(model, WIDTH)
    assert caught[0].filename == __file__
    (text,) = result.report["warnings"]
    assert text == str(caught[0].message)
    assert text.startswith("mixer ")
    assert "u, the value that enters the scan, has not gone through SiLU" in text


@pytest.mark.parametrize("kind", [S6, WholeStreams])
def test_a_scan_that_is_meant_to_be_one_is_no_cause_for_a_warning(kind):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScanletWarning)
        assert compiled(kind(), WIDTH).report["mixers"][0]["dialect"] == "scan"


def test_a_recognised_mixer_is_no_cause_for_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScanletWarning)
        result = compiled(MambaMixer(WIDTH, d_state=3), WIDTH)
    assert result.report["warnings"] == []
