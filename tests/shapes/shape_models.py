"""Whole models of any shape: what a shape says, the PyTorch model of it, and its data."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from scanlet.nn import Bidirectional, DiagonalSSM, Mamba2Mixer, MambaMixer

#: Samples that an integer model's ranges come from, and that a compile verifies with.
CALIBRATION = 3


@dataclass(frozen=True)
class Shape:
    """A model, what it is compiled for, and what is drawn among plans.

    `fusion` picks one of the fusion extents that the planner may choose from, `tile` is the time
    tile, whatever the length. In stream mode `length` is that of `chunks` chunks together.
    """

    kind: str = "mamba"  # "mamba" | "mamba2" | "diagonal"
    d_model: int = 8
    d_state: int = 4
    d_conv: int = 4
    expand: int = 2
    dt_rank: int = 1
    length: int = 8  # a chunk's in stream mode
    chunks: int = 1
    features: int = 0  # of the input, ahead of an input Linear; 0: none
    layers: int = 1
    norm: str = "none"  # "none" | "rms" | "layer", and then a residual
    direction: str = "forward"  # "forward" | "reverse" | "both"
    pooling: str = "none"  # "none" | "mean" | "last"
    classes: int = 0  # of a Linear at the end; 0: none
    inner_norm: bool = False
    bias: bool = False
    precision: str = "float32"
    state: str = "int16"  # of integer models
    mode: str = "sequence"
    tile: int = 4
    fusion: int = 0
    target: str = "generic"
    scale: float = 1.0  # of the inputs
    seed: int = 0

    def __str__(self) -> str:
        """Only what differs from the defaults, as Python takes it."""
        told = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in fields(self)
            if getattr(self, f.name) != f.default
        ]
        return f"Shape({', '.join(told)})"

    @property
    def width(self) -> int:
        """Features of the input."""
        return self.features or self.d_model


class Reversed(nn.Module):
    """A mixer that runs from the end of the sequence to its start."""

    def __init__(self, mixer: nn.Module) -> None:
        super().__init__()
        self.mixer = mixer

    def forward(self, x: Tensor) -> Tensor:
        return self.mixer(x.flip(1)).flip(1)


class Block(nn.Module):
    """x + mixer(norm(x)), or the mixer alone where there is no norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        norms = {"rms": nn.RMSNorm, "layer": nn.LayerNorm}
        self.norm = norms[shape.norm](shape.d_model, eps=1e-5) if shape.norm in norms else None
        if shape.direction == "both":
            self.mixer: nn.Module = Bidirectional(_mixer(shape), _mixer(shape))
        elif shape.direction == "reverse":
            self.mixer = Reversed(_mixer(shape))
        else:
            self.mixer = _mixer(shape)

    def forward(self, x: Tensor) -> Tensor:
        return self.mixer(x) if self.norm is None else x + self.mixer(self.norm(x))


class Model(nn.Module):
    """Input Linear, blocks, pooling, output Linear: each but the blocks may be absent."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.input = nn.Linear(shape.features, shape.d_model) if shape.features else None
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.head = nn.Linear(shape.d_model, shape.classes) if shape.classes else None

    def forward(self, x: Tensor) -> Tensor:
        if self.input is not None:
            x = self.input(x)
        for block in self.blocks:
            x = block(x)
        if self.shape.pooling == "mean":
            x = x.mean(1)
        elif self.shape.pooling == "last":
            x = x[:, -1]
        return x if self.head is None else self.head(x)


def torch_model(shape: Shape) -> Model:
    """With weights as training leaves them: spread out, A below zero, rates of two decades."""
    torch.manual_seed(shape.seed)
    model = Model(shape).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            last = name.rsplit(".", 1)[-1]
            if last in ("A_log", "log_A_real", "A_imag", "log_dt", "dt_bias", "D"):
                weight += 0.3 * torch.randn_like(weight)
            elif "norm" in name:
                weight += 0.2 * torch.randn_like(weight)
            else:
                weight *= torch.exp(0.2 * torch.randn_like(weight))
    return model


def samples(shape: Shape, count: int, seed: int) -> list[np.ndarray]:
    """`count` sequences (1, length * chunks, features)."""
    rng = np.random.default_rng((shape.seed, seed))
    steps = shape.length * shape.chunks
    return [
        (shape.scale * rng.standard_normal((1, steps, shape.width))).astype(np.float32)
        for _ in range(count)
    ]


def expected(model: nn.Module, x: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """PyTorch's output for a whole sequence."""
    with torch.no_grad():
        return model(torch.from_numpy(x).to(dtype)).numpy()


def _mixer(shape: Shape) -> nn.Module:
    if shape.kind == "diagonal":
        return DiagonalSSM(shape.d_model, 2 * shape.d_state)
    if shape.kind == "mamba2":
        inner = shape.expand * shape.d_model
        # The largest head of at most 16 channels that divides them.
        head = max(size for size in range(1, 17) if inner % size == 0)
        return Mamba2Mixer(
            shape.d_model, shape.d_state, shape.d_conv, shape.expand, headdim=head, bias=shape.bias
        )
    return MambaMixer(
        shape.d_model,
        shape.d_state,
        shape.d_conv,
        shape.expand,
        shape.dt_rank,
        bias=shape.bias,
        inner_norm_eps=1e-6 if shape.inner_norm else None,
    )
