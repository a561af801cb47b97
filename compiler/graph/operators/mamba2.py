"""MAMBA2: a whole Mamba-2 mixer as one operator, stepped through as the recurrence that it is.

Dao and Gu 2024 (arXiv:2405.21060), section 7 and figure 6: scalar decay a head, B and C shared by
the heads of a group, and a gated RMS norm ahead of out_proj. The paper's chunked algorithm (SSD)
is the same function computed for parallel hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Carried, LayerOperator, Shape
from scanlet.graph.operators.elementwise import silu, softplus
from scanlet.graph.operators.normalization import rms_norm

#: Order of the weights among the node's inputs (after x); absent ones are left out.
MAMBA2_WEIGHT_ORDER = (
    "in_proj_weight",  # (2 d_inner + 2 groups d_state + heads, d_model), rows [z; x; B; C; dt]
    "in_proj_bias",  # as many
    "conv_weight",  # (d_inner + 2 groups d_state, d_conv), channels [x; B; C]
    "conv_bias",  # as many
    "dt_bias",  # (heads,)
    "A",  # (heads,), A = -exp(A_log)
    "D",  # (heads,), or (d_inner,) for one a channel
    "norm_weight",  # (d_inner,)
    "out_proj_weight",  # (d_out, d_inner)
    "out_proj_bias",  # (d_out,)
)
OPTIONAL = frozenset({"in_proj_bias", "conv_bias", "norm_weight", "out_proj_bias"})
PRODUCTS = ("in_proj_weight", "conv_weight", "out_proj_weight")


@dataclass(frozen=True)
class Mamba2(LayerOperator):
    """A mixer over x (1, L, d_model); y is (1, L, d_out).

    With P = d_inner / heads channels a head, and g the group of head h (heads / groups heads
    each): in_proj -> z, x, B, C, dt; [x; B; C] = silu(conv([x; B; C]));
    dt = min(max(softplus(dt + dt_bias), dt_min), dt_max);
    h[h, p, n] = exp(dt[h] A[h]) h[h, p, n] + dt[h] B[g, n] x[h, p];
    y[h, p] = sum_n C[g, n] h[h, p, n] + D x[h, p]; gated norm; out_proj.

    The gated norm is norm(y silu(z)), or norm(y) silu(z) with `norm_before_gate`: an RMS norm over
    each of `norm_groups` runs of channels, times norm_weight; with `norm_groups` 0 it is y silu(z).
    `reverse` reads time, and writes it, backwards.
    """

    weights: tuple[str, ...]
    d_inner: int
    d_state: int
    heads: int
    d_conv: int
    groups: int = 1
    norm_groups: int = 1
    norm_before_gate: bool = False
    norm_eps: float = 1e-5
    dt_min: float = 0.0
    dt_max: float | None = None
    reverse: bool = False
    mode: str = "sequence"

    SIZES: ClassVar[tuple[str, ...]] = ("d_inner", "d_state", "heads", "groups", "d_conv")
    OPTIONS: ClassVar[tuple[str, ...]] = (
        "reverse",
        "norm_groups",
        "norm_before_gate",
        "dt_min",
        "dt_max",
    )

    def __post_init__(self) -> None:
        order = [MAMBA2_WEIGHT_ORDER.index(name) for name in self.weights]
        required = set(MAMBA2_WEIGHT_ORDER) - OPTIONAL
        if order != sorted(set(order)) or not set(self.weights) >= required:
            raise GraphError(f"MAMBA2: weights {self.weights} are incomplete or out of order")
        if self.d_inner % self.heads or self.heads % self.groups:
            raise GraphError(
                f"MAMBA2: {self.d_inner} channels, {self.heads} heads, {self.groups} groups; each "
                "divides the one before it"
            )
        if self.norm_groups and self.d_inner % self.norm_groups:
            raise GraphError(f"MAMBA2: {self.d_inner} channels in {self.norm_groups} norms")
        if "norm_weight" in self.weights and not self.norm_groups:
            raise GraphError("MAMBA2: norm_weight without a norm")

    @property
    def head_dim(self) -> int:
        """Channels a head (P)."""
        return self.d_inner // self.heads

    @property
    def conv_channels(self) -> int:
        """Channels of the convolution: x, B and C."""
        return self.d_inner + 2 * self.groups * self.d_state

    @property
    def state_count(self) -> int:
        return self.d_inner * self.d_state

    @property
    def channel_count(self) -> int:
        return self.conv_channels

    def multiplies(self, weights: dict[str, Shape]) -> tuple[int, int]:
        """In_proj, convolution and out_proj in each step."""
        return sum(prod(weights[name]) for name in PRODUCTS), 0

    def infer_shape(self, *shapes: Shape) -> Shape:
        x = shapes[0]
        w: dict[str, Shape] = self.named(shapes)
        if len(x) != 3 or x[0] != 1 or x[1] < 1:
            raise GraphError(f"MAMBA2: input shape {x}, expected (1, L >= 1, features)")
        rows = self.d_inner + self.conv_channels + self.heads
        d_out = w["out_proj_weight"][0]
        expected: dict[str, tuple[Shape, ...]] = {
            "in_proj_weight": ((rows, x[2]),),
            "in_proj_bias": ((rows,),),
            "conv_weight": ((self.conv_channels, self.d_conv),),
            "conv_bias": ((self.conv_channels,),),
            "dt_bias": ((self.heads,),),
            "A": ((self.heads,),),
            "D": ((self.heads,), (self.d_inner,)),
            "norm_weight": ((self.d_inner,),),
            "out_proj_weight": ((d_out, self.d_inner),),
            "out_proj_bias": ((d_out,),),
        }
        for name, shape in w.items():
            if shape not in expected[name]:
                choices = " or ".join(map(str, expected[name]))
                raise GraphError(f"MAMBA2: {name} is {shape}, expected {choices}")
        return (1, x[1], d_out)

    def run(
        self,
        x: np.ndarray,
        w: dict[str, np.ndarray],
        observe: object = None,  # noqa: ARG002
        carried: Carried | None = None,
    ) -> np.ndarray:
        """The output for x (B, L, d_model), any B, and the weights by name.

        `carried` takes the state from call to call: empty at first, written by each.
        """
        carried = {} if carried is None else carried
        inner, conv = self.d_inner, self.conv_channels
        forward = x[:, ::-1] if self.reverse else x
        zxbcdt = forward @ w["in_proj_weight"].T + w.get("in_proj_bias", 0)
        z, xbc, dt = np.split(zxbcdt, [inner, inner + conv], axis=-1)
        xbc = self._convolution(xbc, w, carried)
        dt = np.clip(softplus(dt + w["dt_bias"]), self.dt_min, self.dt_max)
        y = self._scan(xbc, dt, w, carried)
        y = self._gated_norm(y, z, w)
        y = (y @ w["out_proj_weight"].T + w.get("out_proj_bias", 0)).astype(x.dtype)
        return y[:, ::-1] if self.reverse else y

    def _convolution(
        self, xbc: np.ndarray, w: dict[str, np.ndarray], carried: Carried
    ) -> np.ndarray:
        """Causal, depthwise, with SiLU; (B, L, conv_channels) in and out."""
        batch, length, channels = xbc.shape
        zeros = np.zeros((batch, self.d_conv - 1, channels), xbc.dtype)
        padded = np.concatenate([carried.get("history", zeros), xbc], axis=1)
        carried["history"] = padded[:, length:]
        taps = w["conv_weight"]
        conv = sum(padded[:, k : k + length] * taps[:, k] for k in range(self.d_conv))
        return silu(conv + w.get("conv_bias", xbc.dtype.type(0)))

    def _scan(
        self,
        xbc: np.ndarray,
        dt: np.ndarray,
        w: dict[str, np.ndarray],
        carried: Carried,
    ) -> np.ndarray:
        """The recurrence; dt (B, L, heads), the result (B, L, d_inner)."""
        batch, length, _ = xbc.shape
        states = self.groups * self.d_state
        x, b, c = np.split(xbc, [self.d_inner, self.d_inner + states], axis=-1)
        x = x.reshape(batch, length, self.heads, self.head_dim)
        b, c = (self._for_each_head(rows) for rows in (b, c))
        skip = w["D"].reshape(self.heads, -1)
        zeros = np.zeros((batch, self.heads, self.head_dim, self.d_state), w["A"].dtype)
        h = carried.get("h", zeros)
        y = np.empty_like(x)
        for t in range(length):
            decay = np.exp(dt[:, t] * w["A"])[..., np.newaxis, np.newaxis]
            drive = (dt[:, t, :, np.newaxis] * x[:, t])[..., np.newaxis] * b[:, t, :, np.newaxis]
            h = decay * h + drive
            y[:, t] = (h @ c[:, t, ..., np.newaxis])[..., 0] + skip * x[:, t]
        carried["h"] = h
        return y.reshape(batch, length, self.d_inner)

    def _for_each_head(self, rows: np.ndarray) -> np.ndarray:
        """(B, L, groups * d_state) -> (B, L, heads, d_state)."""
        grouped = rows.reshape(*rows.shape[:2], self.groups, self.d_state)
        return grouped.repeat(self.heads // self.groups, axis=2)

    def _gated_norm(self, y: np.ndarray, z: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
        gate = silu(z)
        if not self.norm_groups:
            return y * gate
        if self.norm_before_gate:
            return self._norm(y, w) * gate
        return self._norm(y * gate, w)

    def _norm(self, y: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
        grouped = y.reshape(*y.shape[:2], self.norm_groups, -1)
        return rms_norm(grouped, self.norm_eps).reshape(y.shape) * w.get("norm_weight", 1)
