"""How the weights of a float32 mixer lie in the flatbuffer, packed for the kernels.

A matrix (outputs, depth) becomes (ceil(outputs / 4), depth, 4): blocks of four outputs, k-major,
so that a product loads four weights at once and adds along k in order. Vectors that go with such
a matrix are padded to whole blocks. A is stored times log2(e): the decay is then 2^(delta * A).
"""

from __future__ import annotations

import numpy as np

from scanlet.graph.operators import SelectiveSSM
from scanlet.planning.layer import LANES, LayerPlan, pad
from scanlet.planning.scan_packing import octaves, skips

MATRICES = frozenset({"input_weight", "x_proj_weight", "dt_proj_weight", "out_proj_weight"})
PADDED_VECTORS = frozenset({"input_bias", "dt_proj_bias", "out_proj_bias"})


def pack_floats(layer: LayerPlan, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The stored arrays of each weight (canonical shapes by name), in the order of the inputs."""
    return {
        name: np.ascontiguousarray(_pack(name, weights, layer), np.float32)
        for name in layer.op.weights
    }


def float_shapes(layer: LayerPlan) -> dict[str, tuple[int, ...]]:
    """The stored shape of each weight by name, in the order of the inputs."""
    op = _mixer(layer)
    blocks = {
        "input_weight": (layer.d_model, layer.in_features),
        "x_proj_weight": (op.dt_rank + 2 * op.d_state, op.d_inner),
        "dt_proj_weight": (op.d_inner, op.dt_rank),
        "out_proj_weight": (layer.d_out, op.d_inner),
    }
    shapes: dict[str, tuple[int, ...]] = {
        name: (pad(outputs) // LANES, depth, LANES) for name, (outputs, depth) in blocks.items()
    }
    shapes |= {
        "in_proj_weight": (2 * pad(op.d_inner) // LANES, layer.d_model, LANES),
        "in_proj_bias": (2 * pad(op.d_inner),),
        "input_bias": (pad(layer.d_model),),
        "dt_proj_bias": (pad(op.d_inner),),
        "out_proj_bias": (pad(layer.d_out),),
        "norm_weight": (layer.d_model,),
        "norm_bias": (layer.d_model,),
        "conv_weight": (op.d_inner, op.d_conv),
        "conv_bias": (op.d_inner,),
        "A": (op.d_inner, op.d_state),
        "D": (op.d_inner, 2),
        "dt_norm_weight": (op.dt_rank,),
        "b_norm_weight": (op.d_state,),
        "c_norm_weight": (op.d_state,),
    }
    return {name: shapes[name] for name in op.weights}


def float_types(layer: LayerPlan) -> dict[str, str]:
    """The element type of each weight by name, in the order of the inputs."""
    return dict.fromkeys(layer.op.weights, "float32")


def _pack(name: str, weights: dict[str, np.ndarray], layer: LayerPlan) -> np.ndarray:
    data = weights[name]
    if name == "x_proj_weight":
        return in_blocks(data[_x_proj_order(layer)])
    if name in MATRICES:
        return in_blocks(data)
    if name in PADDED_VECTORS:
        return to_lanes(data)
    if name == "in_proj_weight":  # each half on its own, so that z starts on a whole block
        x, z = np.split(data, [_mixer(layer).d_inner])
        return np.concatenate([in_blocks(x), in_blocks(z)])
    if name == "in_proj_bias":
        x, z = np.split(data, [_mixer(layer).d_inner])
        return np.concatenate([to_lanes(x), to_lanes(z)])
    if name == "A":
        return octaves(data)
    if name == "D":
        return skips(weights["A"], data)
    return data


def _x_proj_order(layer: LayerPlan) -> list[int]:
    """Rows of x_proj: dt first, then those of B and C by turns."""
    dt, states = _mixer(layer).dt_rank, _mixer(layer).d_state
    by_turns = [dt + half * states + n for n in range(states) for half in (0, 1)]
    return [*range(dt), *by_turns]


def to_lanes(data: np.ndarray) -> np.ndarray:
    """Rows of zeros added up to a whole block of outputs."""
    extra = pad(len(data)) - len(data)
    return np.pad(data, [(0, extra)] + [(0, 0)] * (data.ndim - 1))


def in_blocks(matrix: np.ndarray) -> np.ndarray:
    """A matrix (outputs, depth) as the products read it."""
    padded = to_lanes(matrix)
    return padded.reshape(-1, LANES, matrix.shape[1]).transpose(0, 2, 1)


def _mixer(layer: LayerPlan) -> SelectiveSSM:
    assert isinstance(layer.op, SelectiveSSM)
    return layer.op
