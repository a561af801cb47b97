"""From a float mixer and its statistics to the integer operator: every scale and every constant.

A stored integer q stands for q * scale. Scales inside the operator are chosen per channel wherever
a product can absorb them, and two cancel: with b the scales of B's rows, the state has the scale
sigma[e] * b[n] and C's rows kappa / b[n], so that the sum over n needs one factor a channel. A
state in float32 needs none of that: each row of B and C has the scale of its own range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scanlet.errors import UnsupportedModelError
from scanlet.graph import Node
from scanlet.graph.operators import SelectiveSSM
from scanlet.graph.operators.integer_ssm import (
    CHANNEL_FIELDS,
    INTEGER_WEIGHT_ORDER,
    IntegerSSM,
)
from scanlet.quantization.calibration import MixerStatistics
from scanlet.quantization.rounding import bias_correction, quantize_rows, row_scales

#: How far beyond the calibrated maximum an int16 inside the operator reaches: one of 15 bits.
MARGIN = 2.0
INT16 = 32767
#: Below minus this, SiLU and softplus are zero to 16 bits.
VANISHED = 16.0
#: Bounds of a factor of `fixed_point.scale` as a real number.
SMALLEST_FACTOR, LARGEST_FACTOR = 2.0**-20, 0.499999
#: The norm's squared sums fit 64 bits up to this width.
MAX_NORM_WIDTH = 1024

Moments = tuple[np.ndarray, np.ndarray]  # E[x x^T], E[x]


@dataclass(frozen=True)
class Boundary:
    """Type and quantization of a graph tensor at the operator's edge."""

    dtype: str  # "int8" | "int16"
    scale: float
    zero_point: int

    @property
    def largest(self) -> int:
        """Of the stored value's distance to the zero point."""
        return 255 if self.dtype == "int8" else 32768


@dataclass(frozen=True)
class Rows:
    """A quantized product: int8 weights, and (bias, factor) of each row."""

    weight: np.ndarray
    rows: np.ndarray


def integer_mixer(
    node: Node, statistics: MixerStatistics, x: Boundary, y: Boundary, state: str = "int16"
) -> tuple[IntegerSSM, dict[str, np.ndarray]]:
    """The integer operator for a float SELECTIVE_SSM node, and its weights by name.

    `x` and `y` are the input's and the output's quantization, `state` is "int16" or "float32".
    Raises UnsupportedModelError where a shape is beyond what the integers hold.
    """
    op = node.op
    assert isinstance(op, SelectiveSSM)
    w = {
        name: np.asarray(tensor.data, np.float64) for name, tensor in op.named(node.inputs).items()
    }
    made: dict[str, np.ndarray] = {}
    constants: dict[str, int] = {}

    def keep(name: str, product: Rows) -> None:
        made[f"{name}_weight"], made[f"{name}_rows"] = product.weight, product.rows

    r_scale, r_largest = x.scale, x.largest
    if "input_weight" in w:
        r_scale = MARGIN * max(map(abs, statistics.r)) / INT16 or 1.0
        weight, bias = w["input_weight"] * x.scale, _bias(w, "input")
        scales = _row_units(weight, bias, x.largest)
        r_scale = max(r_scale, float(scales.max()) / LARGEST_FACTOR)
        moments = _scaled(statistics.moments["input_weight"], x.scale)
        keep("input", _rows(weight, bias, x.largest, np.full(len(bias), r_scale), moments))
        r_largest = 32768

    weight, bias = w["in_proj_weight"], _bias(w, "in_proj")
    n_scale, n_largest = r_scale, r_largest
    if op.norm:
        width = weight.shape[1]
        if width > MAX_NORM_WIDTH:
            raise UnsupportedModelError(
                f"a norm over {width} features is beyond the integer operator's {MAX_NORM_WIDTH}",
                where=node.source.module,
                hint="keep the module in float with float_modules=",
            )
        constants["norm_fraction"] = _fraction(statistics.norm, least=5)
        n_scale, n_largest = 2.0 ** -constants["norm_fraction"], 32768
        constants["norm_eps"] = round(
            op.norm_eps / r_scale**2 * (width**2 if op.norm == "layer" else 1)
        )
        bias = bias + weight @ w.get("norm_bias", np.zeros(width))
        weight = weight * w.get("norm_weight", np.ones(width))
    weight = weight * n_scale
    units = _row_units(weight, bias, n_largest)
    inner = op.d_inner
    conv_scale = np.maximum(_per_value(statistics.x), units[:inner] / LARGEST_FACTOR)
    channel: dict[str, np.ndarray] = {}
    most = np.floor(-np.log2(units[inner:] / LARGEST_FACTOR))
    gate_fraction = np.clip(_fractions(statistics.z), 5, np.maximum(most, 5))
    channel["gate_fraction"] = gate_fraction
    scales = np.concatenate([conv_scale, 2.0**-gate_fraction])
    moments = _scaled(statistics.moments["in_proj_weight"], n_scale)
    keep("in_proj", _rows(weight, bias, n_largest, scales, moments))

    channel["conv_fraction"] = np.clip(_fractions(statistics.conv), 5, 20)
    u_scale = 2.0 ** -channel["conv_fraction"]
    made["conv_weight"], channel["conv_bias"], channel["conv_factor"] = _wide(
        w["conv_weight"] * conv_scale[:, np.newaxis], _bias(w, "conv"), u_scale
    )

    # x_proj: dt, B and C, whose scales go together.
    rank, states = op.dt_rank, op.d_state
    reach = _per_value(statistics.dbc)
    weight = w["x_proj_weight"] * u_scale
    bias = np.zeros(len(weight))
    reach = np.maximum(reach, _row_units(weight, bias, 32768) / LARGEST_FACTOR)
    dt_scale, b_scale = reach[:rank], reach[rank : rank + states]
    if state == "int16":
        c_limit = (1 << 16 - (states - 1).bit_length()) - 1 if states > 1 else INT16
        kappa = float((reach[rank + states :] * INT16 / c_limit * b_scale).max())
        reach = np.concatenate([dt_scale, b_scale, kappa / b_scale])
    moments = _scaled(statistics.moments["x_proj_weight"], u_scale)
    keep("x_proj", _rows(weight, bias, 32768, reach, moments))

    argument = np.array([statistics.delta_argument])
    delta_fraction = int(np.clip(_fractions(argument), 9, 15)[0])
    made["dt_proj_weight"], channel["dt_bias"], channel["dt_factor"] = _wide(
        w["dt_proj_weight"] * dt_scale, w["dt_proj_bias"], 2.0**-delta_fraction
    )
    delta_scale = np.maximum(_per_value(statistics.delta), 2.0**-24 / LARGEST_FACTOR)
    channel["delta_factor"] = _factor(2.0**-24 / delta_scale)

    if state == "int16":
        y_scale = _integer_state(w, statistics, delta_scale, u_scale, b_scale, kappa, made, channel)
    else:
        y_scale = _per_value(statistics.y)
        made |= {"A": w["A"], "D": w["D"], "bc_scales": reach[rank:]}
        made["reals"] = np.stack([delta_scale, u_scale, 1 / y_scale], axis=1)
        unused = ("du_factor", "rate_shift", "D_factor", "y_factor")
        channel |= dict.fromkeys(unused, np.zeros(inner))
    gated = y_scale * 2.0**-gate_fraction
    g_scale = np.maximum(_per_value(statistics.g), gated / LARGEST_FACTOR)
    if op.pooling:
        channel["gate_factor"] = _factor(gated / g_scale)
        assert statistics.pooled is not None, "of a mixer with pooling"
        p_scale = _balanced(w["out_proj_weight"], statistics.pooled)
        p_scale = np.maximum(p_scale, g_scale / 2**15 / LARGEST_FACTOR)
        channel["pool_factor"] = _factor(g_scale / 2**15 / p_scale)
    else:
        p_scale = np.maximum(_balanced(w["out_proj_weight"], statistics.g), g_scale)
        channel["gate_factor"] = _factor(gated / p_scale)
        channel["pool_factor"] = np.zeros(inner)
    made["channels"] = np.stack([channel[field] for field in CHANNEL_FIELDS], axis=1)

    sixteenth = 16 if op.residual else 1
    weight, bias = w["out_proj_weight"] * p_scale, _bias(w, "out_proj")
    scales = np.full(len(weight), y.scale / sixteenth)
    moments = _scaled(statistics.moments["out_proj_weight"], p_scale)
    keep("out_proj", _rows(weight, bias, 32768, scales, moments))
    if op.residual:
        constants["residual_factor"] = min(round(r_scale * 16 / y.scale * 2**16), 2**31 - 1)
    order = tuple(name for name in INTEGER_WEIGHT_ORDER if name in made)
    integer = IntegerSSM(
        weights=order,
        d_inner=inner,
        d_state=states,
        dt_rank=rank,
        d_conv=op.d_conv,
        activation=x.dtype,
        input_zero_point=x.zero_point,
        output_zero_point=y.zero_point,
        delta_fraction=delta_fraction,
        norm=op.norm,
        reverse=op.reverse,
        residual=op.residual,
        pooling=op.pooling,
        mode=op.mode,
        state=state,
        window=op.window,
        **constants,
    )
    return integer, {name: made[name].astype(_TYPES.get(name, np.int32)) for name in order}


_TYPES = {
    "input_weight": np.int8,
    "in_proj_weight": np.int8,
    "x_proj_weight": np.int8,
    "out_proj_weight": np.int8,
    "conv_weight": np.int16,
    "dt_proj_weight": np.int16,
    "rates": np.int16,
    **dict.fromkeys(("A", "D", "reals", "bc_scales"), np.float32),
}


def _integer_state(
    w: dict[str, np.ndarray],
    statistics: MixerStatistics,
    delta_scale: np.ndarray,
    u_scale: np.ndarray,
    b_scale: np.ndarray,
    kappa: float,
    made: dict[str, np.ndarray],
    channel: dict[str, np.ndarray],
) -> np.ndarray:
    """The rates, and the channels' constants of the recurrence; returns the scales of y."""
    # The state, du and the output sum share sigma.
    sigma = (statistics.h * MARGIN / b_scale).max(axis=1) / INT16
    sigma = np.maximum(sigma, 2**15 * _per_value(statistics.du))
    sigma = np.maximum(sigma, 2**15 * delta_scale * u_scale / LARGEST_FACTOR)
    channel["du_factor"] = _factor(delta_scale * u_scale / (sigma / 2**15))
    made["rates"], channel["rate_shift"] = _rates(-w["A"] * delta_scale[:, np.newaxis])

    y_scale = np.maximum(_per_value(statistics.y), sigma * kappa / LARGEST_FACTOR)
    y_scale = np.maximum(y_scale, np.abs(w["D"]) * u_scale / 2**14)
    channel["y_factor"] = _factor(sigma * kappa / y_scale)
    channel["D_factor"] = np.round(w["D"] * u_scale / y_scale * 2**16)
    return y_scale


def _bias(w: dict[str, np.ndarray], name: str) -> np.ndarray:
    """The bias of a product, zeros where it has none."""
    return w.get(f"{name}_bias", np.zeros(len(w[f"{name}_weight"])))


def _per_value(largest: np.ndarray) -> np.ndarray:
    """What one step of an int16 stands for, so that `largest` times MARGIN fits; never zero."""
    floor = max(float(np.max(largest)) * 1e-6, 1e-12)
    return MARGIN * np.maximum(largest, floor) / INT16


def _fraction(largest: float, *, least: int, most: int = 15) -> int:
    """The fractional bits of an int16 that holds `largest` times MARGIN."""
    return min(max(15 - math.ceil(math.log2(max(MARGIN * largest, 2.0**-15))), least), most)


def _fractions(ranges: np.ndarray) -> np.ndarray:
    """For each (low, high), the fractional bits of an argument of SiLU or softplus.

    Far below zero both vanish, so the argument may saturate there.
    """
    low, high = ranges[:, 0], ranges[:, 1]
    reach = np.maximum(MARGIN * high, np.minimum(MARGIN * -low, VANISHED))
    return 15 - np.ceil(np.log2(np.maximum(reach, 2.0**-5)))


def _balanced(weight: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Scales of a product's input for which every column of the int8 weights has all its bits.

    The input then has 16 bits relative to the channel that contributes most.
    """
    columns = np.abs(weight).max(axis=0)
    columns = np.maximum(columns, max(float(columns.max()) * 2.0**-10, 1e-30))
    return MARGIN * float((largest * columns).max()) / INT16 / columns


def _factor(real: np.ndarray) -> np.ndarray:
    return np.clip(np.round(real * 2.0**32), 1, 2**31 - 1)


def _scaled(moments: Moments, scale: np.ndarray | float) -> Moments:
    """Moments of x / scale."""
    second, first = moments
    scales = np.broadcast_to(np.asarray(scale, np.float64), first.shape)
    return second / np.outer(scales, scales), first / scales


def _row_units(weight: np.ndarray, bias: np.ndarray, largest: int) -> np.ndarray:
    """The least that a step of each row's int32 sum may stand for, by |weight| and overflow."""
    depth = weight.shape[1]
    room = 2.0**31 - 1 - largest * depth  # rounding of the weights takes the rest at most
    total = np.abs(weight).sum(axis=1) * largest + 2 * np.abs(bias)
    return np.maximum(np.maximum(np.abs(weight).max(axis=1) / 127, total / room), 1e-30)


def _rows(
    weight: np.ndarray, bias: np.ndarray, largest: int, scales: np.ndarray, moments: Moments
) -> Rows:
    """Quantize a product whose input counts in ones: weight and bias in real units a step.

    `scales` is what a step of each output stands for; `largest` bounds the input.
    """
    second, first = moments
    least = np.maximum(_row_units(weight, bias, largest), scales * SMALLEST_FACTOR)
    overflow = np.abs(weight).max(axis=1) / 127 < least  # nothing to gain from clipping there
    units = np.where(overflow, least, np.maximum(row_scales(weight, second), least / 2))
    units = np.maximum(units, _overflow_units(weight, bias, largest))
    quantized = quantize_rows(weight, units, second)
    restored = quantized * units[:, np.newaxis]
    corrected = bias + bias_correction(weight, restored, first)
    rows = np.stack([np.round(corrected / units), _factor(units / scales)], axis=1)
    _check(quantized, rows[:, 0], largest)
    return Rows(quantized, rows)


def _overflow_units(weight: np.ndarray, bias: np.ndarray, largest: int) -> np.ndarray:
    depth = weight.shape[1]
    total = np.abs(weight).sum(axis=1) * largest + 2 * np.abs(bias)
    return total / (2.0**31 - 1 - largest * depth)


def _wide(
    weight: np.ndarray, bias: np.ndarray, scale: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Int16 weights with as many bits as the int32 sum has room for; bias and factor of a row."""
    depth = weight.shape[1]
    total = np.abs(weight).sum(axis=1) * 32768 + np.abs(bias)
    units = np.maximum(total / (2.0**31 - 1 - 16384 * depth), np.abs(weight).max(axis=1) / INT16)
    units = np.maximum(units, scale * SMALLEST_FACTOR)
    quantized = np.round(weight / units[:, np.newaxis])
    rounded = np.round(bias / units)
    _check(quantized, rounded, 32768)
    return quantized, rounded, _factor(units / scale)


def _rates(exponents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-A times delta's scale as int16 with a shift for each channel."""
    shift = np.floor(np.log2(INT16 / np.maximum(exponents.max(axis=1), 1e-30))) - 7
    shift = np.clip(shift, 8, 23)
    rates = np.round(exponents * 2.0 ** (shift[:, np.newaxis] + 7))
    return np.clip(rates, 0, INT16), shift


def _check(weight: np.ndarray, bias: np.ndarray, largest: int) -> None:
    reach = np.abs(weight).sum(axis=1) * largest + np.abs(bias)
    assert reach.max(initial=0) < 2**31, "a product could overflow"
