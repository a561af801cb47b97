"""SELECTIVE_SSM in integers: the executable definition of every rounding.

The stages are those of `SelectiveSSM`. Inside, activations are int16 (symmetric), products are
int8 weights times int16 activations into int32, and the state is int16 with one scale for each
channel and state: that of B's row cancels against C's, see `scanlet.quantization.ssm`. The only
rescaling step is `fixed_point.scale`. With `state` "float32" the recurrence alone, from delta, u, B
and C to y, is in float32: `float_recurrence`. Overflow is excluded by how weights are scaled:

    products             sum |w| * 2^15 + |bias| < 2^31, for each row
    convolution, dt_proj the same with int16 weights
    exponent             delta * rate < 2^15 * 2^15
    state                |decay * h| + |du * b| + 2^15 <= (2^15 - 1) 2^15 + 2^30 + 2^15 = 2^31 only
                         where all are extreme, which du and B, at most 32767 times 32768, are not
    output               d_state * |c| * |h| < 2^31 with |c| <= c_limit
    pooling              length * |g| < 2^16 * 2^15, a running mean's sum with its window as length
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Carried, LayerOperator, Shape
from scanlet.graph.operators.fixed_point import (
    decay,
    integer_sqrt,
    product,
    rounding,
    saturate,
    scale,
    silu,
    softplus,
)
from scanlet.graph.operators.float_recurrence import float_recurrence
from scanlet.graph.operators.mixer import (
    MIXER_OPTIONS,
    MIXER_SIZES,
    mixer_fused,
    mixer_multiplies,
)
from scanlet.graph.operators.streaming import LONGEST_INTEGER_WINDOW

#: Order of the weights among the node's inputs (after x). `..._rows` hold (bias, factor) of each
#: output: int16 result = saturate(scale(bias + product, factor)).
INTEGER_WEIGHT_ORDER = (
    "input_weight",  # int8 (d_model, in_features)
    "input_rows",  # int32 (d_model, 2)
    "in_proj_weight",  # int8 (2 d_inner, d_model), rows [x; z]; the norm's weight is part of it
    "in_proj_rows",  # int32 (2 d_inner, 2)
    "conv_weight",  # int16 (d_inner, d_conv)
    "x_proj_weight",  # int8 (dt_rank + 2 d_state, d_inner), rows [dt; B; C]
    "x_proj_rows",  # int32 (dt_rank + 2 d_state, 2)
    "dt_proj_weight",  # int16 (d_inner, dt_rank)
    "rates",  # int16 (d_inner, d_state), >= 0: -A times the scale of delta times 2^(shift + 7)
    "channels",  # int32 (d_inner, len(CHANNEL_FIELDS))
    "out_proj_weight",  # int8 (d_out, d_inner)
    "out_proj_rows",  # int32 (d_out, 2)
    "A",  # float32 (d_inner, d_state), as in SelectiveSSM
    "D",  # float32 (d_inner,)
    "reals",  # float32 (d_inner, 3): the scales of delta and u, one over that of y
    "bc_scales",  # float32 (2 d_state,): of the rows of B, then of C
)

#: What each channel carries, in this order, in the weight `channels`.
CHANNEL_FIELDS = (
    "conv_bias",
    "conv_factor",  # to conv_fraction
    "conv_fraction",  # fractional bits of SiLU's argument and of u, 5 to 20
    "dt_bias",
    "dt_factor",  # to delta_fraction
    "delta_factor",  # from Q24 to the channel's delta
    "du_factor",  # delta * u to the channel's du
    "rate_shift",  # 8 to 23
    "D_factor",  # u * 2^16 to the channel's y; may be negative
    "y_factor",  # the sum over states to the channel's y
    "gate_fraction",  # fractional bits of z, 5 to 20
    "gate_factor",  # y * silu(z) to the channel's g
    "pool_factor",  # the mean of g, times 2^15, to the input of out_proj; unused without pooling
)

OPTIONAL = frozenset({"input_weight", "input_rows"})
#: The weights of the recurrence, by how it holds the state.
STATE_WEIGHTS = {
    "int16": frozenset({"rates"}),
    "float32": frozenset({"A", "D", "reals", "bc_scales"}),
}


@dataclass(frozen=True)
class IntegerSSM(LayerOperator):
    """An integer mixer: x (1, L, in_features) int8 or int16 to y (1, L, d_out) of the same type.

    `delta_fraction` and `norm_fraction` are the fractional bits of softplus' argument and of the
    normalized activations; `norm_eps` is eps in units of the squared residual stream (times
    d_model^2 for a layer norm); `residual_factor` brings the residual stream, times 2^16, to
    sixteenths of the output's steps, and the factors of out_proj do the same if there is one.

    `state` is "int16", or "float32": in the recurrence B and C are then their integers times
    `bc_scales`, C without its limit, y is rounded to nearest, and the constants of `channels` from
    du_factor to y_factor mean nothing. Builds of C with fused multiply-adds are within a step of y,
    others are exact.
    """

    weights: tuple[str, ...]
    d_inner: int
    d_state: int
    dt_rank: int
    d_conv: int
    activation: str  # "int8" | "int16"
    input_zero_point: int
    output_zero_point: int
    delta_fraction: int
    norm: str | None = None
    norm_fraction: int = 0
    norm_eps: int = 0
    reverse: bool = False
    residual: bool = False
    residual_factor: int = 0
    pooling: str | None = None
    mode: str = "sequence"
    state: str = "int16"
    window: int = 0  # of the pooling "running", 0: LONGEST_INTEGER_WINDOW

    SIZES: ClassVar[tuple[str, ...]] = MIXER_SIZES
    OPTIONS: ClassVar[tuple[str, ...]] = MIXER_OPTIONS

    @property
    def counted(self) -> int:
        """The window of a running mean in steps."""
        return self.window or LONGEST_INTEGER_WINDOW

    def __post_init__(self) -> None:
        if self.state not in STATE_WEIGHTS:
            raise GraphError(f"integer SELECTIVE_SSM: no state {self.state!r}")
        common = set(INTEGER_WEIGHT_ORDER).difference(*STATE_WEIGHTS.values())
        required = common - OPTIONAL | STATE_WEIGHTS[self.state]
        order = [INTEGER_WEIGHT_ORDER.index(name) for name in self.weights]
        if order != sorted(set(order)) or not required <= set(self.weights) <= required | OPTIONAL:
            raise GraphError(f"integer SELECTIVE_SSM: odd weights {self.weights}")

    @property
    def c_limit(self) -> int:
        """Largest magnitude of C: d_state products of it with an int16 state stay below 2^31."""
        return (1 << 15 - (self.d_state - 1).bit_length() + 1) - 1 if self.d_state > 1 else 32767

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
        w = dict(zip(self.weights, shapes[1:], strict=True))
        features = x[-1]
        if len(x) != 3 or x[0] != 1 or x[1] < 1:
            raise GraphError(f"SELECTIVE_SSM: input shape {x}, expected (1, L >= 1, features)")
        rows = self.dt_rank + 2 * self.d_state
        expected: dict[str, Shape] = {}
        if "input_weight" in w:
            width = w["input_weight"][0]
            expected |= {"input_weight": (width, features), "input_rows": (width, 2)}
            features = width
        d_out = w["out_proj_weight"][0]
        expected |= {
            "in_proj_weight": (2 * self.d_inner, features),
            "in_proj_rows": (2 * self.d_inner, 2),
            "conv_weight": (self.d_inner, self.d_conv),
            "x_proj_weight": (rows, self.d_inner),
            "x_proj_rows": (rows, 2),
            "dt_proj_weight": (self.d_inner, self.dt_rank),
            "rates": (self.d_inner, self.d_state),
            "channels": (self.d_inner, len(CHANNEL_FIELDS)),
            "out_proj_weight": (d_out, self.d_inner),
            "out_proj_rows": (d_out, 2),
            "A": (self.d_inner, self.d_state),
            "D": (self.d_inner,),
            "reals": (self.d_inner, 3),
            "bc_scales": (2 * self.d_state,),
        }
        for name, shape in w.items():
            if shape != expected[name]:
                raise GraphError(f"SELECTIVE_SSM: {name} is {shape}, expected {expected[name]}")
        if self.residual and d_out != features:
            raise GraphError(f"SELECTIVE_SSM: residual of {features} features onto {d_out}")
        return (1, d_out) if self.pooling else (1, x[1], d_out)

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        """The integer result for integer inputs, from zero state."""
        return self.advance({}, *arrays)

    def advance(self, carried: Carried, *arrays: np.ndarray) -> np.ndarray:
        """The next chunk; `carried` is taken up in stream mode only."""
        stages = self.stages(*arrays, carried=carried if self.mode == "stream" else None)
        return stages["out"][np.newaxis].astype(self.activation)

    def stages(self, *arrays: np.ndarray, carried: Carried | None = None) -> dict[str, np.ndarray]:
        """Every intermediate result, time first; `out` without the batch dimension.

        In int64, but for a state in float32. `carried` is what a stream carries so far.
        """
        carried = {} if carried is None else carried
        w = {
            name: np.asarray(array, np.float32 if name in STATE_WEIGHTS["float32"] else np.int64)
            for name, array in self.named(arrays).items()
        }
        r = arrays[0][0].astype(np.int64) - self.input_zero_point
        if self.reverse:
            r = r[::-1]
        if "input_weight" in w:
            r = rescaled(w["input_weight"], w["input_rows"], r)
        n = normalized(r, self.norm, self.norm_fraction, self.norm_eps) if self.norm else r
        xz = rescaled(w["in_proj_weight"], w["in_proj_rows"], n)
        x, z = xz[:, : self.d_inner], xz[:, self.d_inner :]
        stages = {"r": r, "n": n, "x": x, "z": z}
        stages |= self.scan(x, w, carried)
        c = channels(w)
        g = saturate(scale(stages["y"] * silu(z, c["gate_fraction"]), c["gate_factor"]))
        stages |= {"g": g, "out": self.project(g, r, w, carried)}
        return stages

    def scan(
        self, x: np.ndarray, w: dict[str, np.ndarray], carried: Carried
    ) -> dict[str, np.ndarray]:
        """Convolution to y of every step; x (L, d_inner)."""
        c = channels(w)
        length, past = len(x), carried.get("past", 0)
        nothing = np.zeros((self.d_conv - 1, self.d_inner), np.int64)
        padded = np.concatenate([carried.get("history", nothing), x])
        conv = c["conv_bias"] + sum(
            padded[k : k + length] * w["conv_weight"][:, k] for k in range(self.d_conv)
        )
        v = saturate(scale(conv, c["conv_factor"]))
        u = silu(v, c["conv_fraction"])
        dbc = rescaled(w["x_proj_weight"], w["x_proj_rows"], u)
        dt, b, cs = np.split(dbc, [self.dt_rank, self.dt_rank + self.d_state], axis=1)
        argument = c["dt_bias"] + product(w["dt_proj_weight"], dt)
        argument = saturate(scale(argument, c["dt_factor"]))
        delta = np.minimum(scale(softplus(argument, self.delta_fraction), c["delta_factor"]), 32767)
        stages = {"v": v, "u": u, "dt": dt, "b": b, "c": cs, "argument": argument, "delta": delta}
        recurrence = self._integers if self.state == "int16" else self._reals
        stages |= recurrence(stages, w, carried)
        carried |= {"h": stages["h"], "history": padded[length:], "past": past + length}
        return stages

    def _integers(
        self, stages: dict[str, np.ndarray], w: dict[str, np.ndarray], carried: Carried
    ) -> dict[str, np.ndarray]:
        """The recurrence in integers: C within its limit, du, the last state, y."""
        c, u, delta, b = channels(w), stages["u"], stages["delta"], stages["b"]
        cs = np.clip(stages["c"], -self.c_limit, self.c_limit)
        du = saturate(scale(delta * u, c["du_factor"]))
        past = carried.get("past", 0)
        h = carried.get("h", np.zeros((self.d_inner, self.d_state), np.int64))
        y = np.empty_like(u)
        shift = c["rate_shift"][:, np.newaxis]
        for t in range(len(u)):
            e = decay(delta[t][:, np.newaxis] * w["rates"], shift)
            h = saturate((e * h + du[t][:, np.newaxis] * b[t] + rounding(past + t)) >> 15)
            y[t] = scale(h @ cs[t], c["y_factor"]) + scale(u[t] << 16, c["D_factor"])
        return {"c": cs, "du": du, "h": h, "y": saturate(y)}

    def _reals(
        self, stages: dict[str, np.ndarray], w: dict[str, np.ndarray], carried: Carried
    ) -> dict[str, np.ndarray]:
        """The recurrence in float32: the last state, y."""
        with np.errstate(over="ignore", invalid="ignore"):
            h, y = float_recurrence(
                *(stages[name] for name in ("delta", "u", "b", "c")),
                rates=w["A"],
                skip=w["D"],
                units=w["reals"],
                bc_scales=w["bc_scales"],
                h=carried.get("h"),
            )
        return {"h": h, "y": np.clip(y, -32768, 32767).astype(np.int64)}

    def project(
        self, g: np.ndarray, r: np.ndarray, w: dict[str, np.ndarray], carried: Carried
    ) -> np.ndarray:
        """Pooling, out_proj, residual: the stored output."""
        if self.pooling == "running":
            window = self.counted
            g = running_mean(g, 15, window, carried.setdefault("g", {}))
            g = saturate(scale(g, channels(w)["pool_factor"]))
            r = running_mean(r, 0, window, carried.setdefault("r", {}))
        elif self.pooling == "mean":
            g = saturate(scale(mean(g, 15), channels(w)["pool_factor"]))
            r = mean(r, 0)
        elif self.pooling:
            g = saturate(scale(g[-1:] << 15, channels(w)["pool_factor"]))
            r = r[-1:]
        bias, factor = w["out_proj_rows"].T
        out = scale(bias + product(w["out_proj_weight"], g), factor)
        if self.residual:
            out = (out + scale(r << 16, self.residual_factor) + 8) >> 4
        out = saturate(out + self.output_zero_point, 8 if self.activation == "int8" else 16)
        if self.reverse and not self.pooling:
            out = out[::-1]
        return out[0] if self.pooling else out


def channels(w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns of `channels` by name."""
    return dict(zip(CHANNEL_FIELDS, w["channels"].T, strict=True))


def rescaled(weight: np.ndarray, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A product with its bias as int16; x (L, depth) to (L, outputs)."""
    return saturate(scale(rows[:, 0] + product(weight, x), rows[:, 1]))


def mean(values: np.ndarray, fraction: int) -> np.ndarray:
    """The mean over time times 2^fraction, to nearest, halves away from zero.

    (L, n) to (1, n), L < 2^16, |values| <= 2^15, fraction <= 15: in 32 bits as the quotient
    shifted, plus the remainder shifted and divided.
    """
    return quotient(values.sum(axis=0, keepdims=True), len(values), fraction)


def quotient(total: np.ndarray, count: int, fraction: int) -> np.ndarray:
    """total / count times 2^fraction, to nearest, halves away from zero."""
    return np.sign(total) * (((np.abs(total) << fraction) + count // 2) // count)


def running_mean(values: np.ndarray, fraction: int, window: int, carried: Carried) -> np.ndarray:
    """`StreamPool`'s mean behind the chunk `values` (L, n) times 2^fraction, as (1, n).

    Once `window` steps are summed, sum / window (to nearest, halves away from zero) leaves the sum
    for each value that joins it: it stays below window * 2^15 < 2^31.
    """
    total, count = carried.get("sum", np.zeros_like(values[:1])), carried.get("count", 0)
    for step in values:
        total = total + step - (quotient(total, window, 0) if count >= window else 0)
        count = min(count + 1, window)
    carried["sum"], carried["count"] = total, count
    return quotient(total, count, fraction)


def normalized(r: np.ndarray, kind: str, fraction: int, eps: int) -> np.ndarray:
    """r (L, d_model) divided by its root mean square, first centred for a layer norm.

    The centred values are d_model times as large, which keeps them integers; with their root mean
    square `root` the result is c / root * 2^fraction. Everything fits 64 bits.
    """
    width = r.shape[1]
    centred = r * width - r.sum(axis=1, keepdims=True) if kind == "layer" else r
    result = np.empty_like(r)
    for t, c in enumerate(centred):
        root = max(integer_sqrt(int((c * c).sum()) // width + eps), 1)
        lift = 31 - root.bit_length()  # root << lift lies in [2^30, 2^31)
        inverse = (1 << 61) // (root << lift) if lift >= 0 else (1 << 61) // (root >> -lift)
        down = 61 - lift - fraction
        result[t] = saturate((c * inverse + (1 << down - 1)) >> down)
    return result
