"""Random integer mixers: weights that honour the bounds of `IntegerSSM`, and ways to run them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from operator_harness import run_program

from scanlet.graph import Graph, Tensor, constant
from scanlet.graph.operators.integer_ssm import (
    CHANNEL_FIELDS,
    INTEGER_WEIGHT_ORDER,
    IntegerSSM,
)
from scanlet.planning.integer_layer import plan_integer_layer
from scanlet.planning.integer_layout import LAYOUTS
from scanlet.planning.layer import LayerPlan
from scanlet.planning.packing import pack_layer
from scanlet.targets import find

LARGEST_FACTOR = 2**31 - 1
FACTORS = (1 << 12, LARGEST_FACTOR)
#: Ranges of a channel's constants; drawn so that their logarithm is uniform.
CHANNEL_RANGES = {
    "conv_factor": FACTORS,
    "conv_fraction": (5, 20),
    "dt_factor": FACTORS,
    "delta_factor": FACTORS,
    "du_factor": FACTORS,
    "rate_shift": (8, 23),
    "D_factor": (1 << 12, 1 << 18),
    "y_factor": FACTORS,
    "gate_fraction": (5, 20),
    "gate_factor": FACTORS,
    "pool_factor": (1 << 14, 1 << 18),
}


@dataclass(frozen=True)
class Case:
    """An operator, its weights by name, and an input (1, L, features)."""

    op: IntegerSSM
    weights: dict[str, np.ndarray]
    x: np.ndarray

    def graph(self) -> Graph:
        """The operator alone between an input and an output of its type."""
        x = Tensor("x", self.x.shape, self.op.activation)
        graph = Graph([x], [], [])
        constants = [constant(n, d, str(d.dtype)) for n, d in self.weights.items()]
        graph.outputs = [graph.add(self.op, [x, *constants], name="y")]
        return graph

    def plan(self, tile: int, target: str, index: int = 0) -> LayerPlan:
        """The layer's plan for a target."""
        (node,) = self.graph().nodes
        layout = LAYOUTS[find(target).kernels]
        return plan_integer_layer(node, index=index, name=f"layer{index}", tile=tile, layout=layout)

    def expected(self) -> np.ndarray:
        """What the operator's definition says: (L, d_out) or (d_out,)."""
        return self.op.evaluate(self.x, *self.weights.values())[0]

    def state(self) -> np.ndarray:
        """The recurrent state behind the last step, (d_inner, d_state)."""
        return self.op.stages(self.x, *self.weights.values())["h"]


def random_case(
    seed: int,
    *,
    length: int = 7,
    features: int = 5,
    d_model: int = 7,
    d_inner: int = 10,
    d_state: int = 3,
    dt_rank: int = 2,
    d_conv: int = 4,
    d_out: int = 7,
    linear: bool = False,
    extreme: bool = False,
    activation: str = "int8",
    literals: int = 0,
    **options: Any,
) -> Case:
    """A case with random weights and input.

    `extreme`: weights, biases and inputs only at the ends of their ranges. Without an input Linear
    `d_model` has no meaning, with a residual `d_out` has none. `literals` is the seed of what the
    generated C has as literals, so that one program serves many cases.
    """
    rng = np.random.default_rng(seed)
    draw = _Draw(rng, extreme)
    width = d_model if linear else features
    d_out = width if options.get("residual") else d_out
    stored = 255 if activation == "int8" else 32768
    first = 32768 if linear or options.get("norm") else stored
    products = {
        "input": (d_model, features, stored),
        "in_proj": (2 * d_inner, width, first),
        "x_proj": (dt_rank + 2 * d_state, d_inner, 32768),
        "out_proj": (d_out, d_inner, 32768),
    }
    weights = {}
    for name, (outputs, depth, reach) in products.items():
        largest = min(127, (2**31 - 1) // (reach * depth))
        weights[f"{name}_weight"] = draw.signed((outputs, depth), largest).astype(np.int8)
        weights[f"{name}_rows"] = draw.rows(weights[f"{name}_weight"], reach)
    if not linear:
        del weights["input_weight"], weights["input_rows"]
    columns = {name: draw.logarithmic(d_inner, *span) for name, span in CHANNEL_RANGES.items()}
    columns["D_factor"] = columns["D_factor"] * rng.choice([-1, 1], d_inner)
    weights["conv_weight"], columns["conv_bias"] = draw.wide(d_inner, d_conv)
    weights["dt_proj_weight"], columns["dt_bias"] = draw.wide(d_inner, dt_rank)
    weights["rates"] = np.abs(draw.signed((d_inner, d_state), 32767)).astype(np.int16)
    channels = np.stack([columns[field] for field in CHANNEL_FIELDS], axis=1)
    weights["channels"] = channels.astype(np.int32)
    op = _operator(
        np.random.default_rng(literals),
        weights=tuple(name for name in INTEGER_WEIGHT_ORDER if name in weights),
        d_inner=d_inner,
        d_state=d_state,
        dt_rank=dt_rank,
        d_conv=d_conv,
        activation=activation,
        **options,
    )
    x = draw.full((1, length, features), np.iinfo(activation))
    case = Case(op, {name: weights[name] for name in op.weights}, x.astype(activation))
    if not extreme:
        _fit_factors(case, rng)
    return case


def _operator(rng: np.random.Generator, **options: Any) -> IntegerSSM:
    """The operator with random zero points, fractional bits and the like."""
    if options["activation"] == "int8":
        options["input_zero_point"], options["output_zero_point"] = map(
            int, rng.integers(-128, 128, 2)
        )
    else:
        options["input_zero_point"] = options["output_zero_point"] = 0
    options["delta_fraction"] = int(rng.integers(9, 16))
    if options.get("norm"):
        options["norm_fraction"] = int(rng.integers(5, 16))
        options["norm_eps"] = int(rng.integers(0, 1 << int(rng.integers(1, 40))))
    if options.get("residual"):
        options["residual_factor"] = int(rng.integers(1 << 17, 1 << 21))
    return IntegerSSM(**options)


def _fit_factors(case: Case, rng: np.random.Generator) -> None:
    """Choose the factors in the order of the stages, so that a signal comes out at the end.

    Each brings its stage to between an eighth of its range and somewhat too much.
    """
    w = case.weights
    steps = [
        (w["in_proj_rows"][:, 1], ("x", "z")),
        (_channel(w, "conv_factor"), ("v",)),
        (w["x_proj_rows"][:, 1], ("dt", "b", "c")),
        (_channel(w, "dt_factor"), ("argument",)),
        (_channel(w, "delta_factor"), ("delta",)),
        (_channel(w, "du_factor"), ("du",)),
        (_channel(w, "y_factor"), ("y",)),
        (_channel(w, "gate_factor"), ("g",)),
        (w["out_proj_rows"][:, 1], ("out",)),
    ]
    if "input_rows" in w:
        steps.insert(0, (w["input_rows"][:, 1], ("r",)))
    skip = _channel(w, "D_factor")
    kept = skip.copy()
    skip[:] = 0
    for factors, names in steps:
        factors[:] = LARGEST_FACTOR
        for _ in range(16):
            stages = case.op.stages(case.x, *w.values())
            full = np.concatenate([_is_full(stages[name], name, case.op) for name in names])
            if not full.any():
                break
            factors[full] >>= 2
        spread = 2.0 ** rng.uniform(-3, 1.5, len(factors))
        factors[:] = np.clip(factors * spread, 1, LARGEST_FACTOR).astype(np.int64)
        if names == ("y",):
            skip[:] = kept


def _channel(weights: dict[str, np.ndarray], field: str) -> np.ndarray:
    return weights["channels"][:, CHANNEL_FIELDS.index(field)]


def _is_full(stage: np.ndarray, name: str, op: IntegerSSM) -> np.ndarray:
    """For each feature, whether some step reaches the end of the range."""
    span = np.iinfo(op.activation if name == "out" else "int16")
    low, high = (-op.c_limit, op.c_limit) if name == "c" else (span.min, span.max)
    return ((stage <= low) | (stage >= high)).reshape(-1, stage.shape[-1]).any(axis=0)


class _Draw:
    """Random arrays, or those at the ends of their ranges."""

    def __init__(self, rng: np.random.Generator, extreme: bool) -> None:
        self.rng, self.extreme = rng, extreme

    def signed(self, shape: tuple[int, ...], largest: int) -> np.ndarray:
        if self.extreme:
            return self.rng.choice([-largest, largest], shape)
        return self.rng.integers(-largest, largest + 1, shape)

    def full(self, shape: tuple[int, ...], span: Any) -> np.ndarray:
        if self.extreme:
            return self.rng.choice([span.min, span.max], shape)
        return self.rng.integers(span.min, span.max + 1, shape)

    def logarithmic(self, count: int, low: int, high: int) -> np.ndarray:
        if self.extreme:
            return self.rng.choice([low, high], count)
        exponents = self.rng.uniform(np.log2(low), np.log2(high), count)
        return np.clip(np.round(2.0**exponents).astype(np.int64), low, high)

    def rows(self, weight: np.ndarray, reach: int) -> np.ndarray:
        """(bias, factor) of each output: the sum may take all 31 bits, and no more."""
        room = 2**31 - 1 - np.abs(weight.astype(np.int64)).sum(axis=1) * reach
        assert room.min() >= 0
        if self.extreme:
            bias = room * self.rng.choice([-1, 1], len(weight))
            factors = self.logarithmic(len(weight), 1 << 18, LARGEST_FACTOR)
        else:
            typical = 73 * np.sqrt(weight.shape[1]) * reach / 8
            bias = np.trunc(self.rng.uniform(-1, 1, len(weight)) * typical)
            factors = np.ones(len(weight))
        return np.stack([bias, factors], axis=1).astype(np.int32)

    def wide(self, outputs: int, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """Int16 weights and biases whose sums may take all 31 bits."""
        parts = np.abs(self.signed((outputs, depth), 32767)) + 1.0
        largest = np.minimum(32767, parts / parts.sum(axis=1, keepdims=True) * 65500)
        weight = np.trunc(largest * self.rng.choice([-1, 1], parts.shape)).astype(np.int64)
        room = 2**31 - 1 - np.abs(weight).sum(axis=1) * 32768
        most = np.minimum(room, 1 << 28)
        bias = room if self.extreme else np.trunc(most * self.rng.uniform(-1, 1, outputs))
        return weight.astype(np.int16), bias.astype(np.int64)


def packed_bytes(plan: LayerPlan, case: Case) -> list[bytes]:
    """The stored weights in the order of the inputs."""
    return [weight.data.tobytes() for weight in pack_layer(plan, case.weights)]


def run_case(
    program: Path,
    plan: LayerPlan,
    case: Case,
    *,
    layer: int = 0,
    chunks: Sequence[int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """y (rows, d_out) of all calls of the harness' program, and h behind the last one.

    `chunks` are the lengths of successive calls on the same state; 0 clears the state.
    """
    lengths = [case.x.shape[1]] if chunks is None else list(chunks)
    head = np.array([layer, len(lengths), *lengths], np.int32)
    output = run_program(
        program, b"".join([head.tobytes(), case.x.tobytes(), *packed_bytes(plan, case)])
    )
    dtype, op = np.dtype(case.op.activation), case.op
    assert plan.layout is not None
    kept = op.d_state if op.state == "float32" else plan.layout.kept_states(op.d_state)
    kind = np.dtype(op.state)
    outputs, h = [], np.zeros(0, kind)
    for length in filter(None, lengths):
        count = plan.d_out * (1 if op.pooling else length)
        outputs.append(np.frombuffer(output, dtype, count).reshape(-1, plan.d_out))
        output = output[count * dtype.itemsize :]
        h = np.frombuffer(output, kind, op.d_inner * kept)
        output = output[plan.state_bytes :]
    assert not output
    return np.concatenate(outputs), h.reshape(op.d_inner, kept)[:, : op.d_state]
