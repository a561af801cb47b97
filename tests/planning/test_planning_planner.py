"""The planner: what it predicts holds, and what it chooses is cheapest within the memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import scanlet
from scanlet.nn import MambaMixer
from scanlet.planning.cost_model import estimate
from scanlet.planning.planner import (
    SAME_COST,
    choices,
    choose_plan,
    memory_parts,
    predicted_ram,
)
from scanlet.planning.tflm_arena import POINTERS_32, POINTERS_64, predict_arena
from scanlet.targets import CORES, find


class Tagger(nn.Module):
    """Convolution, pre-norms, a bidirectional pair, GELU: many tensors of all sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(6, 24, 3, padding=1)
        self.norm = nn.LayerNorm(24)
        self.forwards, self.backwards = MambaMixer(24, d_state=4), MambaMixer(24, d_state=8)
        self.last_norm = nn.LayerNorm(24)
        self.head = nn.Linear(24, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        n = self.norm(x)
        x = x + self.forwards(n) + self.backwards(n.flip(1)).flip(1)
        return torch.softmax(self.head(nn.functional.gelu(self.last_norm(x))), -1).amax(1)


class Classifier(nn.Module):
    def __init__(self, features: int = 20, width: int = 32, states: int = 16) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width)
        self.norm = nn.LayerNorm(width)
        self.mixer = MambaMixer(width, d_state=states)
        self.head = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x)
        return self.head((x + self.mixer(self.norm(x))).mean(1))


def compile_model(model: nn.Module, *shape: int, **options) -> scanlet.Compiled:
    return scanlet.compile(model.eval(), torch.zeros(1, *shape), progress=False, **options)


@pytest.fixture(scope="module", autouse=True)
def seed():
    torch.manual_seed(3)


@pytest.fixture(scope="module")
def tagger(seed):  # noqa: ARG001
    return compile_model(Tagger(), 20, 6)


@pytest.fixture(scope="module")
def classifier(seed):  # noqa: ARG001
    return compile_model(Classifier(), 24, 20)


@pytest.fixture(scope="module")
def stream(seed):  # noqa: ARG001
    return compile_model(MambaMixer(16), 4, 16, mode="stream")


@pytest.mark.parametrize("name", ["tagger", "classifier", "stream"])
def test_the_head_of_the_arena_is_predicted_to_the_byte(request, name):
    compiled = request.getfixturevalue(name)
    predicted = predict_arena(compiled.description, compiled.plan.layers)
    assert predicted.head == compiled.allocations.head
    assert compiled.report["arena"]["predicted_head_bytes"] == predicted.head


@pytest.mark.parametrize("name", ["tagger", "classifier", "stream"])
def test_the_tail_is_modelled_closely_and_never_too_small(request, name):
    compiled = request.getfixturevalue(name)
    host, device = (
        predict_arena(compiled.description, compiled.plan.layers, sizes)
        for sizes in (POINTERS_64, POINTERS_32)
    )
    recorded = compiled.allocations.tail
    assert recorded <= host.tail <= 1.1 * recorded
    assert device.tail < host.tail


@pytest.mark.parametrize("core", CORES)
def test_instructions_are_expected_within_a_tenth(classifier, core):
    target = find(core)
    choice = classifier.planned_for(target)
    measured = classifier.measure(on=core)["instructions"]
    assert choice.instructions == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize("core", ["cortex-m7", "xtensa-fpu"])
def test_the_chosen_tile_costs_least(classifier, core):
    chosen = classifier.measure(on=core)
    for tile in (1, 2, 8):
        assert classifier.measure(on=core, tile=tile)["instructions"] > chosen["instructions"]


def test_choices_cover_fusion_and_tiles_cheapest_first(classifier):
    from scanlet.passes import extents

    found = choices(extents(classifier.source), find("cortex-m7"))
    fusions = {choice.extent.fusion for choice in found}
    assert len(fusions) > 4
    assert len(found) == len(fusions) * 6
    costs = [choice.instructions for choice in found]
    assert costs == sorted(costs)
    assert found[0].extent.fusion == scanlet.passes.Fusion()  # less memory traffic, fewer products
    for choice in found:
        assert estimate(choice.graph, choice.plan) == choice.instructions


def test_the_plan_is_the_cheapest_that_fits(classifier):
    from scanlet.passes import extents

    candidates, target = extents(classifier.source), find("cortex-m7")
    found = choices(candidates, target)
    needs = sorted({predicted_ram(c.graph, c.plan) for c in found})
    for limit in needs[::5]:
        chosen = choose_plan(candidates, target, memory_limit=limit)
        assert sum(memory_parts(chosen.graph, chosen.plan).values()) <= limit
        cheaper = [c for c in found if SAME_COST * c.instructions < chosen.instructions]
        assert all(predicted_ram(c.graph, c.plan) > limit for c in cheaper)
    with pytest.raises(scanlet.TargetError, match=f"{needs[0]:,} bytes"):
        choose_plan(candidates, target, memory_limit=needs[0] - 1)


def test_an_opened_project_keeps_its_fusion_and_tile(classifier, tmp_path):
    opened = scanlet.open(classifier.save(tmp_path / "p"))
    assert opened.extents[0].fusion == classifier.extents[0].fusion
    kept, own = (c.planned_for(find("cortex-m4"), keep_plan=True) for c in (opened, classifier))
    assert kept.plan.layers == own.plan.layers
