"""What a Mamba-1 mixer is in whatever numbers: its sizes, its options, its multiply count."""

from __future__ import annotations

import math
from typing import Protocol

from scanlet.graph.operators.base import Shape

MIXER_SIZES = ("d_inner", "d_state", "dt_rank", "d_conv")
MIXER_OPTIONS = ("reverse", "norm", "residual", "pooling", "window")
PRODUCTS = ("input_weight", "in_proj_weight", "conv_weight", "x_proj_weight", "dt_proj_weight")


class Fusing(Protocol):
    """What `mixer_fused` asks of a mixer."""

    @property
    def weights(self) -> tuple[str, ...]: ...
    @property
    def norm(self) -> str | None: ...
    @property
    def residual(self) -> bool: ...
    @property
    def pooling(self) -> str | None: ...


def mixer_multiplies(weights: dict[str, Shape], *, once: bool) -> tuple[int, int]:
    """Multiply-accumulates in each step and once a sequence, out_proj being of these if `once`."""
    per_step = sum(math.prod(weights[name]) for name in PRODUCTS if name in weights)
    out = math.prod(weights["out_proj_weight"])
    return (per_step, out) if once else (per_step + out, 0)


def mixer_fused(op: Fusing) -> tuple[str, ...]:
    """What joined the mixer, in words."""
    found = (
        ("input Linear", "input_weight" in op.weights),
        ("norm", op.norm),
        ("residual", op.residual),
        (f"{op.pooling} over time", op.pooling),
    )
    return tuple(name for name, present in found if present)
