"""How the weights of an integer layer lie in the flatbuffer; see `planning.integer_layout`.

A product's outputs are padded to whole lanes with zeros, each part on its own where an input is
made of parts: the halves [x; z] of in_proj and [dt; B and C] of x_proj. (bias, factor) rows follow
their outputs, and the channels' constants are padded alike. With a float32 state, rows of B and C
lie by turns in every layout, for the float recurrence, and their scales follow them.
"""

from __future__ import annotations

import numpy as np

from scanlet.graph.operators import IntegerSSM
from scanlet.graph.operators.integer_ssm import CHANNEL_FIELDS
from scanlet.planning.integer_layout import OCTET, IntegerLayout
from scanlet.planning.layer import LayerPlan
from scanlet.planning.scan_packing import octaves, skips

DTYPES = {
    **dict.fromkeys(("input_weight", "in_proj_weight", "x_proj_weight", "out_proj_weight"), "int8"),
    **dict.fromkeys(("conv_weight", "dt_proj_weight", "rates"), "int16"),
    **dict.fromkeys(
        ("input_rows", "in_proj_rows", "x_proj_rows", "channels", "out_proj_rows"), "int32"
    ),
    **dict.fromkeys(("A", "D", "reals", "bc_scales"), "float32"),
}


def integer_types(layer: LayerPlan) -> dict[str, str]:
    """The element type of each weight by name, in the order of the inputs."""
    return {name: DTYPES[name] for name in layer.op.weights}


def integer_shapes(layer: LayerPlan) -> dict[str, tuple[int, ...]]:
    """The stored shape of each weight by name, in the order of the inputs."""
    op, layout = _mixer(layer), _layout(layer)
    inner = layout.outputs(op.d_inner)
    states = layout.states(op.d_state) if _separate(layer) else op.d_state
    x_proj = layout.outputs(op.dt_rank) + layout.outputs(2 * states)
    products = {
        "input": (layout.outputs(layer.d_model), layer.in_features),
        "in_proj": (2 * inner, layer.d_model),
        "x_proj": (x_proj, op.d_inner),
        "dt_proj": (inner, op.dt_rank),
        "out_proj": (layout.outputs(layer.d_out), op.d_inner),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (outputs, depth) in products.items():
        rows = (outputs, layout.depth(depth))
        blocks = (outputs // layout.lanes, depth, layout.lanes)
        pairs = (outputs // 2, layout.depth(depth) // OCTET, 2 * OCTET)
        shapes[f"{name}_weight"] = pairs if layout.octets else rows if layout.rows else blocks
        shapes[f"{name}_rows"] = (outputs, 2)
    by_tap = (op.d_conv, layout.depth(op.d_inner))
    shapes |= {
        "conv_weight": by_tap if layout.octets else (op.d_inner, op.d_conv),
        "rates": (op.d_inner, layout.kept_states(op.d_state)),
        "channels": (inner, len(CHANNEL_FIELDS)),
        "A": (op.d_inner, op.d_state),
        "D": (op.d_inner, 2),
        "reals": (op.d_inner, 3),
        "bc_scales": (2 * op.d_state,),
    }
    return {name: shapes[name] for name in op.weights}


def pack_integer(layer: LayerPlan, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The stored arrays of each weight by name, in the order of the inputs."""
    return {
        name: np.ascontiguousarray(_pack(name, weights, layer)).astype(dtype)
        for name, dtype in integer_types(layer).items()
    }


def _pack(name: str, weights: dict[str, np.ndarray], layer: LayerPlan) -> np.ndarray:
    op, layout, data = _mixer(layer), _layout(layer), weights[name]
    if name == "conv_weight":
        return _padded(data, op.d_conv, layout.depth(op.d_inner)) if layout.octets else data
    if name == "rates":
        return np.pad(data, [(0, 0), (0, layout.kept_states(op.d_state) - op.d_state)])
    if name == "reals":
        return data
    if name == "A":
        return octaves(data)
    if name == "D":
        return skips(weights["A"], data)
    if name == "bc_scales":
        return data.reshape(2, -1).T.reshape(-1)
    parts = [_padded_rows(part, layout.outputs(len(part))) for part in _parts(name, data, layer)]
    stacked = np.concatenate(parts)
    if not name.endswith("_weight"):
        return stacked
    depth = stacked.shape[1]
    wide = np.pad(stacked, [(0, 0), (0, layout.depth(depth) - depth)])
    if layout.octets:
        octets = wide.reshape(len(wide) // 2, 2, -1, OCTET).transpose(0, 2, 1, 3)
        return octets.reshape(len(octets), -1, 2 * OCTET)
    if not layout.rows:
        return stacked.reshape(-1, layout.lanes, depth).transpose(0, 2, 1)
    if layout.swapped and DTYPES[name] == "int8":
        return wide.reshape(len(wide), -1, 4)[:, :, [0, 2, 1, 3]].reshape(wide.shape)
    return wide


def _parts(name: str, data: np.ndarray, layer: LayerPlan) -> list[np.ndarray]:
    """The groups of outputs that start on whole lanes, in the kernels' order."""
    op, layout = _mixer(layer), _layout(layer)
    if name.startswith("in_proj"):
        return np.split(data, [op.d_inner])
    if name.startswith("x_proj"):
        dt, b, c = np.split(data, [op.dt_rank, op.dt_rank + op.d_state])
        if _separate(layer):
            states = layout.states(op.d_state)
            return [dt, np.concatenate([_padded_rows(b, states), _padded_rows(c, states)])]
        return [dt, np.stack([b, c], axis=1).reshape(2 * op.d_state, -1)]
    return [data]


def _padded_rows(data: np.ndarray, count: int) -> np.ndarray:
    return np.pad(data, [(0, count - len(data)), (0, 0)])


def _padded(data: np.ndarray, taps: int, channels: int) -> np.ndarray:
    """(d_inner, d_conv) to (taps, channels)."""
    return np.pad(data.T, [(0, 0), (0, channels - len(data))]).reshape(taps, channels)


def _separate(layer: LayerPlan) -> bool:
    """Whether B lies ahead of C."""
    return _layout(layer).separate > 0 and _mixer(layer).state == "int16"


def _layout(layer: LayerPlan) -> IntegerLayout:
    assert layer.layout is not None
    return layer.layout


def _mixer(layer: LayerPlan) -> IntegerSSM:
    assert isinstance(layer.op, IntegerSSM)
    return layer.op
