"""Little models for the frontend's tests, and the comparison in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mambapy.mamba import MambaBlock, MambaConfig
from torch import nn

from scanlet.frontend import Capture, capture
from scanlet.nn import MambaMixer


class Shell(nn.Module):
    """A function of x over named submodules: `Shell(lambda m, x: m.fc(x), fc=nn.Linear(...))`."""

    def __init__(self, function: Callable[..., Any], **modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            self.add_module(name, module)
        spread(self)

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(self, *inputs)


def spread(model: nn.Module) -> nn.Module:
    """Random parameters and statistics: initial ones hide mistakes (ones, zeros). Eval mode."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(torch.rand(buffer.shape, generator=generator))
    return model.eval()


def mixer(kind: str, d_model: int = 6, d_state: int = 3, **options: Any) -> nn.Module:
    """A mixer with random weights: "own", "loop" or "pscan" (mambapy's)."""
    if kind == "own":
        return spread(MambaMixer(d_model, d_state=d_state, **options))
    config = MambaConfig(
        d_model=d_model, n_layers=1, d_state=d_state, pscan=kind == "pscan", **options
    )
    return spread(MambaBlock(config))


class Classifier(nn.Module):
    """Linear -> pre-norm residual mixers -> mean over time -> Linear."""

    def __init__(self, *mixers: nn.Module) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 6)
        self.norm = nn.LayerNorm(6)
        self.layers = nn.ModuleList(mixers)
        self.head = nn.Linear(6, 3)
        spread(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for layer in self.layers:
            x = x + layer(self.norm(x))
        return self.head(x.mean(dim=1))


def random_inputs(captured: Capture, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.standard_normal(tensor.shape)
        if tensor.dtype == "float32"
        else rng.integers(0, 5, tensor.shape).astype(np.int32)
        for tensor in captured.graph.inputs
    ]


def in_float64(model: nn.Module, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """What PyTorch computes with the model's weights in float64."""
    double = copy.deepcopy(model).double()
    tensors = [torch.from_numpy(x) for x in arrays]
    with torch.no_grad():
        leaves = torch.utils._pytree.tree_leaves(double(*tensors))
    return [leaf.numpy() for leaf in leaves]


def assert_captured_exactly(
    model: nn.Module, *inputs: torch.Tensor, atol: float = 1e-10
) -> Capture:
    """The graph, evaluated in float64, equals the PyTorch model run in float64."""
    captured = capture(model, inputs)
    arrays = random_inputs(captured)
    results = captured.graph.evaluate(arrays)
    expected = in_float64(model, arrays)
    assert len(results) == len(expected)
    for got, want in zip(results, expected, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, atol=atol, rtol=1e-10)
        assert np.abs(want).max() > 1e-3, "the comparison says nothing about zeros"
    return captured
