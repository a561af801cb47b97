"""How a layer's weights lie in the flatbuffer: packed for the kernels that read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanlet.planning.kinds import kind_of
from scanlet.planning.layer import LayerPlan

#: Changes whenever a layout changes; part of a layer's signature.
LAYOUT_VERSION = 3


@dataclass(frozen=True)
class PackedWeight:
    """A weight as the flatbuffer stores it: C-contiguous, of the type that it is stored in."""

    name: str
    data: np.ndarray


def pack_layer(layer: LayerPlan, weights: dict[str, np.ndarray]) -> list[PackedWeight]:
    """Pack the weights of a layer (canonical shapes by name), in the order of the inputs."""
    packed = kind_of(layer.op).pack(layer, weights)
    return [PackedWeight(name, data) for name, data in packed.items()]


def packed_shapes(layer: LayerPlan) -> dict[str, tuple[int, ...]]:
    """The stored shape of each weight by name, in the order of the inputs."""
    return kind_of(layer.op).shapes(layer)


def packed_types(layer: LayerPlan) -> dict[str, str]:
    """The element type of each weight by name, in the order of the inputs."""
    return kind_of(layer.op).types(layer)
