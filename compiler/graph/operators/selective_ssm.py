"""SELECTIVE_SSM: a whole Mamba-1 mixer, with what may be fused around it, as one operator.

Recurrence of Gu and Dao 2023 (arXiv:2312.00752), section 3 and algorithm 2, with the zero-order
hold of A and the Euler step of B that every implementation uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Carried, LayerOperator, Shape
from scanlet.graph.operators.elementwise import silu, softplus
from scanlet.graph.operators.mixer import (
    MIXER_OPTIONS,
    MIXER_SIZES,
    mixer_fused,
    mixer_multiplies,
)
from scanlet.graph.operators.normalization import layer_norm, rms_norm
from scanlet.graph.operators.streaming import LONGEST_WINDOW, running_mean

#: Order of the weights among the node's inputs (after x); absent ones are left out.
WEIGHT_ORDER = (
    "input_weight",  # (d_model, in_features): a Linear ahead of the mixer
    "input_bias",  # (d_model,)
    "norm_weight",  # (d_model,): pre-norm
    "norm_bias",  # (d_model,)
    "in_proj_weight",  # (2 d_inner, d_model), rows [x; z]
    "in_proj_bias",  # (2 d_inner,)
    "conv_weight",  # (d_inner, d_conv)
    "conv_bias",  # (d_inner,)
    "x_proj_weight",  # (dt_rank + 2 d_state, d_inner), rows [dt; B; C]
    "dt_proj_weight",  # (d_inner, dt_rank)
    "dt_proj_bias",  # (d_inner,)
    "A",  # (d_inner, d_state), A = -exp(A_log)
    "D",  # (d_inner,)
    "out_proj_weight",  # (d_out, d_inner)
    "out_proj_bias",  # (d_out,)
    "dt_norm_weight",  # (dt_rank,): inner norms, of x_proj's rows for dt, B and C
    "b_norm_weight",  # (d_state,)
    "c_norm_weight",  # (d_state,)
)
INNER_NORM_WEIGHTS = frozenset({"dt_norm_weight", "b_norm_weight", "c_norm_weight"})
REQUIRED_WEIGHTS = frozenset(
    {
        "in_proj_weight",
        "conv_weight",
        "x_proj_weight",
        "dt_proj_weight",
        "dt_proj_bias",
        "A",
        "D",
        "out_proj_weight",
    }
)

#: Takes the name of a stage and its values.
Observe = Callable[[str, np.ndarray], None]


@dataclass(frozen=True)
class SelectiveSSM(LayerOperator):
    """A mixer over x (1, L, in_features); y is (1, L, d_out), or (1, d_out) with `pooling`.

    Stages, in order; those in brackets only where the option or the weight is present:
    [reverse time] -> [input Linear] -> r; [norm] -> in_proj -> x, z; x = silu(conv(x));
    dt, B, C = x_proj(x); [inner norms of each]; delta = softplus(dt_proj(dt));
    h = exp(delta A) h + delta B x; y = C h + D x; g = y silu(z);
    [pool g (and r) over time] -> out_proj -> [+ r] -> [reverse].

    An inner norm divides dt, B or C by its root mean square and multiplies by its weight, if it
    has one (Lieber et al. 2024, "Jamba", arXiv:2403.19887; Zuo et al. 2024, "Falcon Mamba").

    `weights` names the node's inputs after x, a subsequence of WEIGHT_ORDER.
    `mode` "sequence" starts from zero state on each call, "stream" carries h and the conv history
    from call to call (`evaluate` states one call from zero state in both). The pooling "running",
    of stream mode only, is carried as well: the mean that `StreamPool` states, of `window`.
    """

    weights: tuple[str, ...]
    d_inner: int
    d_state: int
    dt_rank: int
    d_conv: int
    reverse: bool = False
    norm: str | None = None  # None | "layer" | "rms"
    norm_eps: float = 0.0
    residual: bool = False
    pooling: str | None = None  # None | "mean" | "last" | "running"
    mode: str = "sequence"
    inner_norm: str | None = None  # None | "rms"
    inner_norm_eps: float = 0.0
    window: int = 0  # of the pooling "running"

    SIZES: ClassVar[tuple[str, ...]] = MIXER_SIZES
    OPTIONS: ClassVar[tuple[str, ...]] = (*MIXER_OPTIONS, "inner_norm")

    @property
    def counted(self) -> int:
        """The window of a running mean in steps."""
        return self.window or LONGEST_WINDOW

    def __post_init__(self) -> None:
        order = [WEIGHT_ORDER.index(name) for name in self.weights]
        if order != sorted(set(order)) or not set(self.weights) >= REQUIRED_WEIGHTS:
            raise GraphError(
                f"SELECTIVE_SSM: weights {self.weights} are incomplete or out of order"
            )
        if self.inner_norm is None and INNER_NORM_WEIGHTS & set(self.weights):
            raise GraphError("SELECTIVE_SSM: weights of inner norms, but no inner_norm")
        if self.pooling == "running" and (self.mode != "stream" or self.reverse):
            raise GraphError("SELECTIVE_SSM: a running mean goes forward in stream mode only")

    def weight_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        """The shapes of the node's weights by name, `shapes` being those of all its inputs."""
        return dict(zip(self.weights, shapes[1:], strict=True))

    @property
    def state_count(self) -> int:
        return self.d_inner * self.d_state

    @property
    def channel_count(self) -> int:
        return self.d_inner

    def multiplies(self, weights: dict[str, Shape]) -> tuple[int, int]:
        """In_proj, convolution, x_proj, dt_proj, an input Linear; out_proj once if it pools."""
        return mixer_multiplies(weights, once=self.pooled)

    def fused(self) -> tuple[str, ...]:
        return mixer_fused(self)

    def infer_shape(self, *shapes: Shape) -> Shape:
        x = shapes[0]
        w = self.weight_shapes(shapes)
        features = x[-1]
        if len(x) != 3 or x[0] != 1 or x[1] < 1:
            raise GraphError(f"SELECTIVE_SSM: input shape {x}, expected (1, L >= 1, features)")
        if "input_weight" in w:
            if w["input_weight"][1] != features:
                raise GraphError(f"SELECTIVE_SSM: input {x}, input Linear {w['input_weight']}")
            features = w["input_weight"][0]
        expected: dict[str, Shape] = {
            "input_bias": (features,),
            "norm_weight": (features,),
            "norm_bias": (features,),
            "in_proj_weight": (2 * self.d_inner, features),
            "in_proj_bias": (2 * self.d_inner,),
            "conv_weight": (self.d_inner, self.d_conv),
            "conv_bias": (self.d_inner,),
            "x_proj_weight": (self.dt_rank + 2 * self.d_state, self.d_inner),
            "dt_proj_weight": (self.d_inner, self.dt_rank),
            "dt_proj_bias": (self.d_inner,),
            "A": (self.d_inner, self.d_state),
            "D": (self.d_inner,),
            "out_proj_weight": (w["out_proj_weight"][0], self.d_inner),
            "out_proj_bias": (w["out_proj_weight"][0],),
            "dt_norm_weight": (self.dt_rank,),
            "b_norm_weight": (self.d_state,),
            "c_norm_weight": (self.d_state,),
        }
        for name, shape in w.items():
            if name in expected and shape != expected[name]:
                raise GraphError(f"SELECTIVE_SSM: {name} is {shape}, expected {expected[name]}")
        d_out = w["out_proj_weight"][0]
        if self.residual and d_out != features:
            raise GraphError(f"SELECTIVE_SSM: residual of {features} features onto {d_out}")
        return (1, d_out) if self.pooling else (1, x[1], d_out)

    def run(
        self,
        x: np.ndarray,
        w: dict[str, np.ndarray],
        observe: Observe | None = None,
        carried: Carried | None = None,
    ) -> np.ndarray:
        """The output for x (B, L, in_features), any B, and the weights by name.

        Every stage is shown to `observe` under the name that the class docstring gives it, as
        (B, L, ...): input (ahead of an input Linear), r, normalized (ahead of the norm's weight),
        x, z, conv (with its bias), u (x behind SiLU), dbc (ahead of inner norms), delta_argument,
        delta, du (delta u), h (B, d_inner, d_state) once a step, y, g, pooled (B, d_inner).
        `carried` takes the state from call to call: empty at first, written by each.
        """
        show = observe or _ignore
        carried = {} if carried is None else carried
        r = x[:, ::-1] if self.reverse else x
        if "input_weight" in w:
            show("input", r)
            r = r @ w["input_weight"].T + w.get("input_bias", 0)
        show("r", r)
        n = r
        if self.norm:
            n = (layer_norm if self.norm == "layer" else rms_norm)(r, self.norm_eps)
            show("normalized", n)
            n = n * w.get("norm_weight", 1) + w.get("norm_bias", 0)
        xz = n @ w["in_proj_weight"].T + w.get("in_proj_bias", 0)
        g = self._gated_scan(
            xz[..., : self.d_inner],
            xz[..., self.d_inner :],
            w,
            show,
            carried,
        )
        if self.pooling == "running":
            g, r = (
                running_mean(v, self.counted, carried.setdefault(name, {}))
                for name, v in (("g", g), ("r", r))
            )
            show("pooled", g)
        elif self.pooling:
            mean = self.pooling == "mean"
            g, r = (g.mean(axis=1), r.mean(axis=1)) if mean else (g[:, -1], r[:, -1])
            show("pooled", g)
        y = g @ w["out_proj_weight"].T + w.get("out_proj_bias", 0)
        if self.residual:
            y = y + r
        if self.reverse and not self.pooling:
            y = y[:, ::-1]
        return y.astype(x.dtype)

    def _gated_scan(
        self,
        x: np.ndarray,
        z: np.ndarray,
        w: dict[str, np.ndarray],
        show: Observe,
        carried: Carried,
    ) -> np.ndarray:
        """Convolution, selective scan and gate; x, z and the result are (B, L, d_inner)."""
        show("x", x)
        show("z", z)
        batch, length, d_inner = x.shape
        rank, d_conv, d_state = self.dt_rank, self.d_conv, self.d_state
        history = carried.get("history", np.zeros((batch, d_conv - 1, d_inner), x.dtype))
        padded = np.concatenate([history, x], axis=1)
        conv = sum(padded[:, k : k + length] * w["conv_weight"][:, k] for k in range(d_conv))
        conv = conv + w.get("conv_bias", x.dtype.type(0))
        show("conv", conv)
        u = silu(conv)
        show("u", u)
        dbc = u @ w["x_proj_weight"].T
        show("dbc", dbc)
        dt, b, c = dbc[..., :rank], dbc[..., rank : rank + d_state], dbc[..., rank + d_state :]
        if self.inner_norm:
            dt = rms_norm(dt, self.inner_norm_eps) * w.get("dt_norm_weight", 1)
            b = rms_norm(b, self.inner_norm_eps) * w.get("b_norm_weight", 1)
            c = rms_norm(c, self.inner_norm_eps) * w.get("c_norm_weight", 1)
        delta_argument = dt @ w["dt_proj_weight"].T + w["dt_proj_bias"]
        show("delta_argument", delta_argument)
        delta = softplus(delta_argument)
        show("delta", delta)
        du = delta * u
        show("du", du)
        h = carried.get("h", np.zeros((batch, *w["A"].shape), w["A"].dtype))
        y = np.empty_like(u)
        for t in range(length):
            decay = np.exp(delta[:, t, :, np.newaxis] * w["A"])
            h = decay * h + du[:, t, :, np.newaxis] * b[:, t, np.newaxis]
            show("h", h)
            y[:, t] = (h @ c[:, t, :, np.newaxis])[..., 0] + w["D"] * u[:, t]
        show("y", y)
        carried["history"], carried["h"] = padded[:, length:], h
        g = y * silu(z)
        show("g", g)
        return g


def _ignore(_stage: str, _values: np.ndarray) -> None:
    """Of interest to nobody."""
