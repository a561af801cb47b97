"""Seeing x * scale + offset: channel affines, and products and sums with constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import Binary, ChannelAffine
from scanlet.passes.rewrite import new_constant, values


@dataclass(frozen=True)
class Affine:
    """x * scale + offset along `axis`; one value each, and axis None, where all channels agree."""

    x: Tensor
    axis: int | None
    scale: np.ndarray  # (channels,) or (1,), float64
    offset: np.ndarray

    def along(self, axis: int | None) -> bool:
        """Whether this may be read as an affine map of the channels on `axis`."""
        return self.axis is None or self.axis == axis

    def vectors(self, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Scale and offset, one value a channel."""
        shape = (channels,)
        return np.broadcast_to(self.scale, shape), np.broadcast_to(self.offset, shape)


def as_affine(node: Node) -> Affine | None:
    """Read `node` as an affine map of its only computed input; None if it is not one."""
    op = node.op
    if node.output.dtype != "float32":
        return None
    if isinstance(op, ChannelAffine):
        return _affine(node.inputs[0], op.axis, *(values(t) for t in node.inputs[1:]))
    if not isinstance(op, Binary) or node.inputs[0].is_constant == node.inputs[1].is_constant:
        return None
    left = node.inputs[0].is_constant
    x, other = node.inputs[::-1] if left else node.inputs
    found = vector_along(other, x.shape) if x.shape == node.output.shape else None
    if found is None:
        return None
    axis, v = found
    one, zero = np.ones_like(v), np.zeros_like(v)
    match op.kind, left:
        case "add", _:
            return _affine(x, axis, one, v)
        case "mul", _:
            return _affine(x, axis, v, zero)
        case "sub", False:
            return _affine(x, axis, one, -v)
        case "sub", True:
            return _affine(x, axis, -one, v)
        case "div", False if np.all(v != 0):
            return _affine(x, axis, 1 / v, zero)
    return None


def vector_along(tensor: Tensor, shape: tuple[int, ...]) -> tuple[int | None, np.ndarray] | None:
    """The axis of `shape` along which a constant varies (None: a scalar), and its values (n,).

    None if it varies along several axes, or does not broadcast into `shape`.
    """
    if len(tensor.shape) > len(shape):
        return None
    aligned = (1,) * (len(shape) - len(tensor.shape)) + tensor.shape
    axes = [axis for axis, n in enumerate(aligned) if n > 1]
    if len(axes) > 1:
        return None
    return (axes[0] if axes else None), values(tensor).reshape(-1)


def set_affine(graph: Graph, node: Node, affine: Affine) -> None:
    """Turn `node` into the ChannelAffine that `affine` describes."""
    axis = len(affine.x.shape) - 1 if affine.axis is None else affine.axis
    scale, offset = affine.vectors(affine.x.shape[axis])
    node.op = ChannelAffine(axis)
    name = node.output.name
    node.inputs = [
        affine.x,
        new_constant(graph, f"{name}.scale", scale),
        new_constant(graph, f"{name}.offset", offset),
    ]


def _affine(x: Tensor, axis: int | None, scale: np.ndarray, offset: np.ndarray) -> Affine:
    if np.all(scale == scale[0]) and np.all(offset == offset[0]):
        return Affine(x, None, scale[:1], offset[:1])
    return Affine(x, axis, scale, offset)
