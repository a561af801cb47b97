"""The stack that the planner reckons with is enough on every core."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import scanlet
from scanlet.nn import MambaMixer
from scanlet.targets import ALL, CORES

#: The precisions and states, at shapes that took most among those tried.
MODELS = {
    "float32": ({"d_state": 9, "d_conv": 3}, {}),
    "int8": ({"d_state": 8}, {"precision": "int8"}),
    "int8 with a float32 state": ({"d_state": 8}, {"precision": "int8", "state": "float32"}),
    "int16x8": ({"d_state": 12, "d_conv": 3}, {"precision": "int16x8"}),
}


class Network(nn.Module):
    def __init__(self, **shape: int) -> None:
        super().__init__()
        self.first = nn.Linear(6, 24)
        self.norm = nn.LayerNorm(24)
        self.mixer = MambaMixer(24, **shape)
        self.head = nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = x + self.mixer(self.norm(x))
        return torch.softmax(self.head(x.mean(dim=1)), dim=-1)


@pytest.mark.parametrize("kind", MODELS)
def test_no_core_needs_more_stack_than_its_target_says(kind):
    shape, options = MODELS[kind]
    torch.manual_seed(0)
    data = [torch.randn(1, 10, 6) for _ in range(4)]
    compiled = scanlet.compile(
        Network(**shape).eval(),
        data[0],
        target="generic",
        calibration_data=data,
        progress=False,
        **options,
    )
    needed = {core: compiled.measure(on=core)["stack_bytes"] for core in CORES}
    assert {core: n for core, n in needed.items() if n > ALL[core].stack_bytes} == {}


def test_a_board_reckons_with_the_stack_of_its_core():
    boards = {name: target for name, target in ALL.items() if target.core is not None}
    assert set(boards) > set(CORES)
    for target in boards.values():
        assert target.stack_bytes == ALL[str(target.core)].stack_bytes, target.name
