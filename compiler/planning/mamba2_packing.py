"""How the weights of a Mamba-2 mixer lie in the flatbuffer, packed for the kernels.

in_proj is cut into its four parts, z, x, B and C, and dt, each in whole blocks of four outputs as
in `float_packing`. Channels of B and C come by turns, (groups, d_state, 2), in in_proj and in the
convolution. dt_bias takes in what in_proj's bias has for dt. A is stored times log2(e), D for each
channel.
"""

from __future__ import annotations

import math

import numpy as np

from scanlet.graph.operators import Mamba2
from scanlet.planning.float_packing import in_blocks, to_lanes
from scanlet.planning.layer import LANES, LayerPlan, pad


def pack_mamba2(layer: LayerPlan, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The stored arrays of each weight (canonical shapes by name), in the order of the inputs."""
    return {
        name: np.ascontiguousarray(_pack(name, weights, layer), np.float32)
        for name in layer.op.weights
    }


def mamba2_shapes(layer: LayerPlan) -> dict[str, tuple[int, ...]]:
    """The stored shape of each weight by name, in the order of the inputs."""
    op = _mixer(layer)
    bc = 2 * op.groups * op.d_state
    projected = 2 * pad(op.d_inner) + pad(bc)  # z, x, B and C
    shapes: dict[str, tuple[int, ...]] = {
        "in_proj_weight": ((projected + pad(op.heads)) // LANES, layer.d_model, LANES),
        "in_proj_bias": (projected,),
        "conv_weight": (op.conv_channels, op.d_conv),
        "conv_bias": (op.conv_channels,),
        "dt_bias": (pad(op.heads),),
        "A": (op.heads,),
        "D": (op.d_inner,),
        "norm_weight": (op.d_inner,),
        "out_proj_weight": (pad(layer.d_out) // LANES, op.d_inner, LANES),
        "out_proj_bias": (pad(layer.d_out),),
    }
    return {name: shapes[name] for name in op.weights}


def mamba2_types(layer: LayerPlan) -> dict[str, str]:
    """The element type of each weight by name, in the order of the inputs."""
    return dict.fromkeys(layer.op.weights, "float32")


def _pack(name: str, weights: dict[str, np.ndarray], layer: LayerPlan) -> np.ndarray:
    op, data = _mixer(layer), weights[name]
    match name:
        case "in_proj_weight":
            return np.concatenate([in_blocks(part) for part in _projected(op, data)])
        case "in_proj_bias":
            return np.concatenate([to_lanes(part) for part in _projected(op, data)[:3]])
        case "conv_weight" | "conv_bias":
            return np.concatenate(_channels(op, data))
        case "dt_bias":
            exact = np.asarray(data, np.float64)
            if "in_proj_bias" in weights:
                exact = exact + _projected(op, weights["in_proj_bias"])[3]
            return to_lanes(exact)
        case "A":
            return np.asarray(data, np.float64) * math.log2(math.e)
        case "D":
            return np.repeat(data, op.d_inner // len(data))
        case "out_proj_weight":
            return in_blocks(data)
        case "out_proj_bias":
            return to_lanes(data)
    return data


def _projected(op: Mamba2, rows: np.ndarray) -> list[np.ndarray]:
    """Rows [z; x; B; C; dt] as z, x, B and C by turns, dt."""
    z, xbc, dt = np.split(rows, [op.d_inner, op.d_inner + op.conv_channels])
    return [z, *_channels(op, xbc), dt]


def _channels(op: Mamba2, rows: np.ndarray) -> list[np.ndarray]:
    """Rows [x; B; C] as x, B and C by turns."""
    states = op.groups * op.d_state
    x, b, c = np.split(rows, [op.d_inner, op.d_inner + states])
    return [x, np.stack([b, c], axis=1).reshape(2 * states, *rows.shape[1:])]


def _mixer(layer: LayerPlan) -> Mamba2:
    assert isinstance(layer.op, Mamba2)
    return layer.op
