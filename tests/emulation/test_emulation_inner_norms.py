"""Norms on dt, B and C run on every core, with the same bits where nothing is fused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import scanlet
from scanlet.compiled import Compiled
from scanlet.execution.emulation import CORES
from scanlet.execution.on_core import run_on_core
from scanlet.nn import MambaMixer

LENGTH, D_MODEL = 9, 12


@pytest.fixture(scope="module")
def mixer() -> MambaMixer:
    torch.manual_seed(3)
    # Seven states and a rank of three: no kernel finds whole lanes.
    return MambaMixer(D_MODEL, d_state=7, dt_rank=3, inner_norm_eps=1e-5).eval()


@pytest.fixture(scope="module")
def compiled(mixer: MambaMixer) -> Compiled:
    example = torch.zeros(1, LENGTH, D_MODEL)
    return scanlet.compile(mixer, example, target="generic", progress=False)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(4).standard_normal((1, LENGTH, D_MODEL)).astype(np.float32)


def test_the_core_computes_what_pytorch_does(
    core: str, compiled: Compiled, mixer: MambaMixer, x: np.ndarray
) -> None:
    with torch.no_grad():
        expected = mixer(torch.from_numpy(x)).numpy()
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(compiled.run(x, on=core), expected, rtol=0, atol=1e-5 * scale)


def test_unfused_every_core_gives_the_same_bits(compiled: Compiled, x: np.ndarray) -> None:
    outputs = {}
    for core in CORES:
        choice = compiled.planned_for(scanlet.targets.find(core))
        (outputs[core],) = run_on_core(choice.graph, choice.plan, [(x,)], fused=False)[0]
    for core, output in outputs.items():
        np.testing.assert_array_equal(output, outputs["cortex-m7"], err_msg=core)
