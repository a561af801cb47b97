"""How integer mixers hold their state: the target's choice, or the caller's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import scanlet
from scanlet import targets
from scanlet.graph.operators import IntegerSSM


def compiled(
    model: nn.Module, target: str | scanlet.Target, mode: str = "sequence", **options: str
) -> scanlet.Compiled:
    rng = np.random.default_rng(0)
    data = [rng.standard_normal((1, 6, 6)).astype(np.float32) for _ in range(20)]
    return scanlet.compile(
        model,
        torch.zeros(1, 6, 6),
        target=target,
        precision="int8",
        mode=mode,
        calibration_data=data,
        progress=False,
        **options,
    )


def states(made: scanlet.Compiled) -> set[str]:
    mixers = [node.op for node in made.graph.nodes if isinstance(node.op, IntegerSSM)]
    return {op.state for op in mixers} | {made.report["quantization"]["state"]}


@pytest.mark.parametrize("state", ["int16", "float32"])
def test_the_target_chooses_the_state(tagger: nn.Module, state: str) -> None:
    board = replace(targets.find("generic"), state=state)
    assert states(compiled(tagger, board)) == {state}


@pytest.mark.parametrize("name", sorted(targets.ALL))
def test_every_target_prefers_int16(name: str) -> None:
    assert targets.find(name).state == "int16"


def test_the_caller_s_state_goes_with_the_model_to_every_core(tagger: nn.Module) -> None:
    made = compiled(tagger, "generic", mode="stream", state="float32")
    assert states(made) == {"float32"}
    x = np.random.default_rng(1).standard_normal((1, 6, 6)).astype(np.float32)
    with torch.no_grad():
        expected = tagger(torch.from_numpy(x)).numpy()
    for core in (None, "cortex-m4", "rv32imc"):
        y = made.run(x) if core is None else made.run(x, on=core)
        assert np.abs(y - expected).max() < 0.1 * np.abs(expected).max()
        made.reset()


def test_a_saved_project_says_its_state_and_keeps_it(tagger: nn.Module, tmp_path: Path) -> None:
    made = compiled(tagger, "generic", state="float32")
    again = scanlet.open(made.save(tmp_path / "tagger"))
    assert again.report["quantization"]["state"] == "float32"
    page = (tmp_path / "tagger" / "report.html").read_text("utf-8")
    assert "recurrent state in float32." in page
    x = np.random.default_rng(2).standard_normal((1, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(again.run(x), made.run(x))
