"""Fold scales and offsets of channels into the weights next to them, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanlet.graph import Graph, Node, Tensor
from scanlet.graph.operators import (
    Conv1d,
    Flip,
    Linear,
    Norm,
    Reduce,
    SelectiveSSM,
    StridedSlice,
    Transpose,
)
from scanlet.passes.affine import Affine, as_affine, set_affine
from scanlet.passes.rewrite import new_constant, take_over, update_ssm, values


def fold_affine(graph: Graph) -> bool:
    """Needs nothing. Ensures that a constant scale or offset (batch normalization, input
    standardization) remains only where no layer beside it can take it exactly.

    Behind: Linear, Conv1d, Norm and SELECTIVE_SSM without residual, if nobody else reads their
    output. Ahead: all readers must take it: Linear, SELECTIVE_SSM whose first stage is a product,
    Conv1d (with padding only a scale is exact); looks through data movement.
    """
    changed = False
    for node in list(graph.nodes):
        affine = as_affine(node)
        if affine is not None:
            changed |= _fold_behind(graph, node, affine) or _fold_ahead(graph, node, affine)
    return changed


# -- into the layer before it ------------------------------------------------------------------
def _fold_behind(graph: Graph, node: Node, affine: Affine) -> bool:
    before = graph.producer(affine.x)
    if before is None or graph.sole_consumer(affine.x) is not node:
        return False
    earlier = as_affine(before)
    if earlier is not None:
        if not (earlier.along(affine.axis) or affine.along(earlier.axis)):
            return False
        scale = earlier.scale * affine.scale
        offset = earlier.offset * affine.scale + affine.offset
        axis = earlier.axis if affine.axis is None else affine.axis
        set_affine(graph, node, Affine(earlier.x, axis, scale, offset))
        graph.remove([before])
        return True
    features = before.output.shape[-1]
    if not affine.along(len(before.output.shape) - 1):
        return False
    scale, offset = affine.vectors(features)
    op, name = before.op, before.output.name
    if isinstance(op, SelectiveSSM):
        if op.residual:
            return False
        w = op.named(before.inputs)
        bias = values(w["out_proj_bias"]) if "out_proj_bias" in w else np.zeros(features)
        weight = values(w["out_proj_weight"]) * scale[:, np.newaxis]
        new = {"out_proj_weight": weight, "out_proj_bias": bias * scale + offset}
        update_ssm(graph, before, new)
    elif isinstance(op, Norm):
        old = [values(tensor) for tensor in before.inputs[1:]]
        weight = old[0] if old else np.ones(features)
        bias = old[1] if len(old) > 1 else np.zeros(features)
        bias = bias * scale + offset
        before.inputs = [before.inputs[0], new_constant(graph, f"{name}.weight", weight * scale)]
        if np.any(bias != 0):
            before.inputs.append(new_constant(graph, f"{name}.bias", bias))
    elif isinstance(op, Linear | Conv1d) and op.activation is None and has_weights(before):
        weight = values(before.inputs[1])
        shape = (-1,) + (1,) * (weight.ndim - 1)
        _set_weights(graph, before, weight * scale.reshape(shape), _bias(before) * scale + offset)
    else:
        return False
    take_over(graph, before, node)
    return True


# -- into the layers after it ------------------------------------------------------------------
@dataclass(frozen=True)
class _Taker:
    """A layer ahead, and what the affine map looks like at its input."""

    node: Node
    scale: np.ndarray  # one value a feature of the layer's input
    offset: np.ndarray


def _fold_ahead(graph: Graph, node: Node, affine: Affine) -> bool:
    takers = _takers(graph, node.output, affine)
    if not takers:
        return False
    graph.replace_uses(node.output, affine.x)
    graph.remove([node])
    for taker in takers:
        _take(graph, taker)
    return True


def _takers(graph: Graph, tensor: Tensor, affine: Affine) -> list[_Taker] | None:
    """The layers that together read all of `tensor`; None if something else reads it too."""
    if graph.is_output(tensor):
        return None
    takers: list[_Taker] = []
    for user in graph.consumers(tensor):
        if sum(t is tensor for t in user.inputs) > 1 or user.inputs[0] is not tensor:
            return None
        moved = _through(user, affine)
        if moved is not None:
            beyond = _takers(graph, user.output, moved)
            if beyond is None:
                return None
            takers += beyond
        elif affine.along(len(tensor.shape) - 1) and _can_take(user, affine):
            takers.append(_Taker(user, *affine.vectors(tensor.shape[-1])))
        else:
            return None
    return takers


def _through(user: Node, affine: Affine) -> Affine | None:
    """The same map behind `user`, if that only moves data (or averages it)."""
    op, axis = user.op, affine.axis
    match op:
        case Transpose(perm):
            axis = axis if axis is None else perm.index(axis)
        case Flip(flipped) if flipped != axis:
            pass
        case StridedSlice() if (
            axis is None or user.inputs[0].shape[axis] == user.output.shape[axis]
        ):
            pass
        case Reduce("mean", axes, keepdims) if axis not in axes:
            if axis is not None and not keepdims:
                axis -= sum(reduced < axis for reduced in axes)
        case _:
            return None
    return Affine(affine.x, axis, affine.scale, affine.offset)


def _can_take(user: Node, affine: Affine) -> bool:
    op = user.op
    if isinstance(op, SelectiveSSM):
        return "input_weight" in op.weights or (op.norm is None and not op.residual)
    if isinstance(op, Conv1d):  # a padded zero is zero before the map, and not after it
        exact = op.padding == (0, 0) or bool(np.all(affine.offset == 0))
        return exact and has_weights(user)
    return isinstance(op, Linear) and has_weights(user)


def _take(graph: Graph, taker: _Taker) -> None:
    node, scale, offset = taker.node, taker.scale, taker.offset
    op = node.op
    if isinstance(op, SelectiveSSM):
        prefix = "input" if "input_weight" in op.weights else "in_proj"
        w = op.named(node.inputs)
        old = values(w[f"{prefix}_weight"])
        new = {f"{prefix}_weight": old * scale}
        bias = values(w[f"{prefix}_bias"]) if f"{prefix}_bias" in w else 0.0
        if np.any(offset != 0):
            new[f"{prefix}_bias"] = old @ offset + bias
        update_ssm(graph, node, new)
        return
    old, bias = values(node.inputs[1]), _bias(node)
    if isinstance(op, Linear):
        _set_weights(graph, node, old * scale, bias + old @ offset)
    elif isinstance(op, Conv1d):
        per_group_out, per_group_in = len(old) // op.groups, old.shape[2]
        channel = np.arange(len(old))[:, np.newaxis] // per_group_out * per_group_in
        channel = channel + np.arange(per_group_in)  # (C_out, C_in / groups): read by an output
        weight = old * scale[channel][:, np.newaxis]
        moved = np.einsum("oki,oi->o", old, offset[channel])
        _set_weights(graph, node, weight, bias + moved)


def has_weights(node: Node) -> bool:
    """Whether weight and bias are constants."""
    return all(tensor.is_constant for tensor in node.inputs[1:])


def _bias(node: Node) -> np.ndarray:
    if len(node.inputs) > 2:
        return values(node.inputs[2])
    return np.zeros(node.inputs[1].shape[0])


def _set_weights(graph: Graph, node: Node, weight: np.ndarray, bias: np.ndarray) -> None:
    """Give a Linear or Conv1d new weights; a bias of zeros is left out unless it had one."""
    name = node.output.name
    had_bias = len(node.inputs) > 2
    node.inputs = [node.inputs[0], new_constant(graph, f"{name}.weight", weight)]
    if had_bias or np.any(bias != 0):
        node.inputs.append(new_constant(graph, f"{name}.bias", bias))
