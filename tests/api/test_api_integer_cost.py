"""Integers cost less than float32 on Cortex-M, whatever the state's size and the convolution's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import scanlet
from scanlet.nn import MambaMixer

LENGTH, FEATURES = 16, 6


class Network(nn.Module):
    def __init__(self, d_state: int, d_conv: int) -> None:
        super().__init__()
        self.linear = nn.Linear(FEATURES, 21)
        self.mixer = MambaMixer(21, d_state=d_state, d_conv=d_conv)
        self.head = nn.Linear(21, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(self.linear(x)).mean(1))


@pytest.mark.parametrize(("d_state", "d_conv"), [(6, 5), (4, 4), (34, 3)])
def test_int8_takes_fewer_instructions_than_float32(d_state: int, d_conv: int) -> None:
    torch.manual_seed(0)
    network = Network(d_state, d_conv).eval()
    data = [torch.randn(1, LENGTH, FEATURES) for _ in range(4)]
    counts = {}
    for precision in ("int8", "float32"):
        compiled = scanlet.compile(
            network, data[0], precision=precision, calibration_data=data, progress=False
        )
        counts[precision] = compiled.measure(on="cortex-m7")["instructions"]
    assert counts["int8"] < counts["float32"]
