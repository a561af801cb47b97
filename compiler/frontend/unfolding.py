"""Layers that hold more than a mixer in one forward are taken apart ahead of recognition.

S4D of the state-spaces repository (Gu et al. 2022, arXiv:2206.11893) computes kernel, convolution,
activation and gated Linear in one function: it becomes a `DiagonalSSM` and what follows it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from scanlet.errors import RecognitionError
from scanlet.nn.diagonal import DiagonalSSM

#: Largest deviation of a layer taken apart, relative to its largest output.
TOLERANCE = 1e-4
KERNEL = ("C", "log_dt", "log_A_real", "A_imag")
CHILDREN = ("activation", "dropout", "output_linear")
LENGTHS = (1, 13)


class UnfoldedS4D(nn.Module):
    """What an S4D layer computes, its state-space model a module of its own (`ssm`)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        kernel = layer.get_submodule("kernel")
        channels, states = kernel.log_A_real.shape  # type: ignore[misc]
        self.ssm = DiagonalSSM(int(channels), 2 * int(states))
        for name in KERNEL:
            setattr(self.ssm, name, nn.Parameter(getattr(kernel, name).detach()))
        self.ssm.D = nn.Parameter(layer.D.detach())  # type: ignore[operator]
        self.rest = nn.Sequential(*(layer.get_submodule(name) for name in CHILDREN))
        self.transposed = bool(getattr(layer, "transposed", True))

    def forward(self, u: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        """u (B, channels, L), or (B, L, channels) where the layer is not transposed."""
        y = self.ssm(u.transpose(1, 2) if self.transposed else u).transpose(1, 2)
        y = self.rest(y)
        return (y if self.transposed else y.transpose(1, 2)), None


def unfold(model: nn.Module) -> nn.Module:
    """The model (a copy already) with its S4D layers taken apart, in place unless it is one.

    Raises RecognitionError where a layer has an S4D layer's parameters, but computes something
    else.
    """
    found = {path: layer for path, layer in model.named_modules() if _is_s4d(layer)}
    for path, layer in found.items():
        unfolded = UnfoldedS4D(layer).eval()
        _compare(path, layer, unfolded)
        if not path:
            return unfolded
        holder, _, name = path.rpartition(".")
        setattr(model.get_submodule(holder), name, unfolded)
    return model


def _is_s4d(layer: nn.Module) -> bool:
    children = dict(layer.named_children())
    if not {"kernel", *CHILDREN} <= children.keys() or not hasattr(layer, "D"):
        return False
    return all(isinstance(getattr(children["kernel"], name, None), Tensor) for name in KERNEL)


def _compare(path: str, layer: nn.Module, unfolded: UnfoldedS4D) -> None:
    generator = torch.Generator().manual_seed(0)
    for length in LENGTHS:
        u = torch.randn(1, length, unfolded.ssm.d_model, generator=generator)
        u = u.transpose(1, 2) if unfolded.transposed else u
        try:
            with torch.no_grad():
                got = layer(u)
        except Exception as error:  # whatever a module may raise
            raise RecognitionError(
                f"has an S4D layer's parameters, but does not run on shape {tuple(u.shape)}: "
                f"{str(error).strip().partition(chr(10))[0]}",
                where=path or "the model itself",
                hint="use scanlet.nn.DiagonalSSM, or the S4D layer as its authors wrote it",
            ) from error
        got = got[0] if isinstance(got, tuple) else got
        with torch.no_grad():
            want, _ = unfolded(u)
        scale = max(float(want.abs().max()), 1e-12)
        deviation = float((got - want).abs().max()) / scale if got.shape == want.shape else 1.0
        if not deviation <= TOLERANCE:
            raise RecognitionError(
                "has an S4D layer's parameters, but computes something else: it deviates from the "
                f"state-space model by {deviation:.2%} of the largest output (random input, "
                f"{TOLERANCE:.2%} is accepted)",
                where=path or "the model itself",
                hint="use scanlet.nn.DiagonalSSM, or the S4D layer as its authors wrote it",
            )
