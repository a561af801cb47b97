"""One function an operator of the legal graph: the C statement that computes it.

The functions called lie in tflm_ops/shell/; shapes and strides are written out as constants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scanlet.emit.c_text import c_struct
from scanlet.emit.generic import layout as generic_layout
from scanlet.emit.generic.layout import Names, Shape, leading, strides_of
from scanlet.errors import GraphError
from scanlet.graph import Node
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Gather,
    Linear,
    Operator,
    Pad,
    Pool1d,
    Reduce,
    Reshape,
    Softmax,
    StridedSlice,
    Transpose,
    Unary,
)

ACTIVATION = {None: "SCANLET_NONE", "relu": "SCANLET_RELU", "relu6": "SCANLET_RELU6"}


def _linear(node: Node, op: Linear, names: Names, out: str) -> str:
    weight = node.inputs[1]
    rows = node.output.size // weight.shape[0]
    bias = names[2] if len(names) > 2 else "NULL"
    return (
        f"scanlet_linear({names[0]}, {names[1]}, {bias}, {out}, {rows}, {weight.shape[1]}, "
        f"{weight.shape[0]}, {ACTIVATION[op.activation]});"
    )


def conv1d_shape(node: Node, op: Conv1d) -> str:
    """The geometry of a convolution, as a struct."""
    x, weight = node.inputs[0].shape, node.inputs[1].shape
    return c_struct(
        "scanlet_conv1d_shape",
        length=x[1],
        channels=x[2],
        out_length=node.output.shape[1],
        out_channels=weight[0],
        kernel=weight[1],
        stride=op.stride,
        dilation=op.dilation,
        left_padding=op.padding[0],
        depthwise=int(op.groups > 1),
        activation=ACTIVATION[op.activation],
    )


def _conv1d(node: Node, op: Conv1d, names: Names, out: str) -> str:
    bias = names[2] if len(names) > 2 else "NULL"
    shape = conv1d_shape(node, op)
    return f"scanlet_conv1d({names[0]}, {names[1]}, {bias}, {out}, &{shape});"


def _pool1d(node: Node, op: Pool1d, names: Names, out: str) -> str:
    _, length, channels = node.output.shape
    window = f"{op.kernel}, {op.stride}, {int(op.kind == 'mean')}"
    return f"scanlet_pool1d({names[0]}, {out}, {length}, {channels}, {window});"


def broadcast(node: Node) -> str:
    """Extents of a binary operator's output and strides of its operands, as a struct."""

    def strides(shape: Shape) -> Shape:
        padded = leading(shape, 4, 1)
        steps = leading(strides_of(shape), 4, 0)
        return tuple(0 if n == 1 else s for n, s in zip(padded, steps, strict=True))

    shapes = [node.output.shape, *(tensor.shape for tensor in node.inputs)]
    if len(set(shapes)) == 1:  # element by element, whatever the rank
        shapes = [(node.output.size,)] * 3
    return c_struct(
        "scanlet_broadcast",
        extent=leading(shapes[0], 4, 1),
        first=strides(shapes[1]),
        second=strides(shapes[2]),
    )


def _binary(node: Node, op: Binary, names: Names, out: str) -> str:
    kind = f"SCANLET_{op.kind.upper()}"
    return f"scanlet_binary({kind}, {names[0]}, {names[1]}, {out}, &{broadcast(node)});"


def _unary(node: Node, op: Unary, names: Names, out: str) -> str:
    kind = f"SCANLET_UNARY_{op.kind.upper()}"
    return f"scanlet_unary({kind}, {names[0]}, {out}, {node.output.size});"


def _softmax(node: Node, op: Softmax, names: Names, out: str) -> str:  # noqa: ARG001
    width = node.output.shape[-1]
    return f"scanlet_softmax({names[0]}, {out}, {node.output.size // width}, {width});"


def reduction(node: Node, op: Reduce) -> str:
    """The walk of a reduction, as a struct."""
    shape = node.inputs[0].shape
    groups: list[tuple[bool, int, int]] = []  # (reduced, extent, stride) of merged neighbours
    for axis, (n, stride) in enumerate(zip(shape, strides_of(shape), strict=True)):
        reduced = axis in op.axes
        if groups and groups[-1][0] == reduced:
            groups[-1] = (reduced, groups[-1][1] * n, stride)
        else:
            groups.append((reduced, n, stride))
    kept = [(n, stride) for reduced, n, stride in groups if not reduced]
    gone = [(n, stride) for reduced, n, stride in groups if reduced]
    if len(kept) > 3 or len(gone) > 2:
        raise GraphError(f"{op} of rank {len(shape)} is beyond the generic kernel")
    return c_struct(
        "scanlet_reduction",
        extent=leading(tuple(n for n, _ in kept), 3, 1) + leading(tuple(n for n, _ in gone), 2, 1),
        stride=leading(tuple(s for _, s in kept), 3, 0) + leading(tuple(s for _, s in gone), 2, 0),
    )


def _reduce(node: Node, op: Reduce, names: Names, out: str) -> str:
    kind = f"SCANLET_{op.kind.upper()}"
    return f"scanlet_reduce({kind}, {names[0]}, {out}, &{reduction(node, op)});"


CALLS: dict[type[Operator], Callable[[Node, Any, Names, str], str]] = {
    Binary: _binary,
    Concatenate: generic_layout.concatenate,
    Conv1d: _conv1d,
    Gather: generic_layout.gather,
    Linear: _linear,
    Pad: generic_layout.pad,
    Pool1d: _pool1d,
    Reduce: _reduce,
    Reshape: generic_layout.reshape,
    Softmax: _softmax,
    StridedSlice: generic_layout.strided_slice,
    Transpose: generic_layout.transpose,
    Unary: _unary,
}
