"""One function an operator of the legal graph: the C statement that computes it.

The functions called lie in tflm_ops/shell/; shapes and strides are written out as constants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scanlet.emit.c_text import c_struct
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

Shape = tuple[int, ...]
#: Names of a node's input and output arrays in C.
Names = list[str]

ACTIVATION = {None: "SCANLET_NONE", "relu": "SCANLET_RELU", "relu6": "SCANLET_RELU6"}


def strides_of(shape: Shape) -> Shape:
    """Elements from one index to the next, row-major."""
    strides = [1]
    for n in reversed(shape[1:]):
        strides.append(strides[-1] * n)
    return tuple(reversed(strides)) if shape else ()


def _leading(values: Shape, count: int, fill: int) -> Shape:
    if len(values) > count:
        raise GraphError(f"rank {len(values)} is beyond {count}")
    return (fill,) * (count - len(values)) + tuple(values)


def _walk(extent: Shape, source: Shape, destination: Shape) -> str:
    return c_struct(
        "scanlet_walk",
        extent=_leading(extent, 5, 1),
        source=_leading(source, 5, 0),
        destination=_leading(destination, 5, 0),
    )


def _linear(node: Node, op: Linear, names: Names, out: str) -> str:
    weight = node.inputs[1]
    rows = node.output.size // weight.shape[0]
    bias = names[2] if len(names) > 2 else "NULL"
    return (
        f"scanlet_linear({names[0]}, {names[1]}, {bias}, {out}, {rows}, {weight.shape[1]}, "
        f"{weight.shape[0]}, {ACTIVATION[op.activation]});"
    )


def _conv1d(node: Node, op: Conv1d, names: Names, out: str) -> str:
    x, weight = node.inputs[0].shape, node.inputs[1].shape
    shape = c_struct(
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
    bias = names[2] if len(names) > 2 else "NULL"
    return f"scanlet_conv1d({names[0]}, {names[1]}, {bias}, {out}, &{shape});"


def _pool1d(node: Node, op: Pool1d, names: Names, out: str) -> str:
    _, length, channels = node.output.shape
    window = f"{op.kernel}, {op.stride}, {int(op.kind == 'mean')}"
    return f"scanlet_pool1d({names[0]}, {out}, {length}, {channels}, {window});"


def _binary(node: Node, op: Binary, names: Names, out: str) -> str:
    def broadcast(shape: Shape) -> Shape:
        padded = _leading(shape, 4, 1)
        strides = _leading(strides_of(shape), 4, 0)
        return tuple(0 if n == 1 else s for n, s in zip(padded, strides, strict=True))

    shapes = [node.output.shape, *(tensor.shape for tensor in node.inputs)]
    if len(set(shapes)) == 1:  # element by element, whatever the rank
        shapes = [(node.output.size,)] * 3
    shape = c_struct(
        "scanlet_broadcast",
        extent=_leading(shapes[0], 4, 1),
        first=broadcast(shapes[1]),
        second=broadcast(shapes[2]),
    )
    kind = f"SCANLET_{op.kind.upper()}"
    return f"scanlet_binary({kind}, {names[0]}, {names[1]}, {out}, &{shape});"


def _unary(node: Node, op: Unary, names: Names, out: str) -> str:
    kind = f"SCANLET_UNARY_{op.kind.upper()}"
    return f"scanlet_unary({kind}, {names[0]}, {out}, {node.output.size});"


def _softmax(node: Node, op: Softmax, names: Names, out: str) -> str:  # noqa: ARG001
    width = node.output.shape[-1]
    return f"scanlet_softmax({names[0]}, {out}, {node.output.size // width}, {width});"


def _reduce(node: Node, op: Reduce, names: Names, out: str) -> str:
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
    reduction = c_struct(
        "scanlet_reduction",
        extent=_leading(tuple(n for n, _ in kept), 3, 1)
        + _leading(tuple(n for n, _ in gone), 2, 1),
        stride=_leading(tuple(s for _, s in kept), 3, 0)
        + _leading(tuple(s for _, s in gone), 2, 0),
    )
    return f"scanlet_reduce(SCANLET_{op.kind.upper()}, {names[0]}, {out}, &{reduction});"


def _reshape(node: Node, op: Reshape, names: Names, out: str) -> str:  # noqa: ARG001
    return f"scanlet_copy({names[0]}, {out}, &{_walk((node.output.size,), (1,), (1,))});"


def _transpose(node: Node, op: Transpose, names: Names, out: str) -> str:
    strides = strides_of(node.inputs[0].shape)
    source = tuple(strides[axis] for axis in op.perm)
    walk = _walk(node.output.shape, source, strides_of(node.output.shape))
    return f"scanlet_copy({names[0]}, {out}, &{walk});"


def _strided_slice(node: Node, op: StridedSlice, names: Names, out: str) -> str:
    strides = strides_of(node.inputs[0].shape)
    start = sum(
        slice(b, e, s).indices(n)[0] * stride
        for b, e, s, n, stride in zip(
            op.begin, op.end, op.strides, node.inputs[0].shape, strides, strict=True
        )
    )
    source = tuple(s * stride for s, stride in zip(op.strides, strides, strict=True))
    walk = _walk(node.output.shape, source, strides_of(node.output.shape))
    return f"scanlet_copy({names[0]} + {start}, {out}, &{walk});"


def _concatenate(node: Node, op: Concatenate, names: Names, out: str) -> str:
    strides = strides_of(node.output.shape)
    statements, at = [], 0
    for tensor, name in zip(node.inputs, names, strict=True):
        walk = _walk(tensor.shape, strides_of(tensor.shape), strides)
        statements.append(f"scanlet_copy({name}, {out} + {at * strides[op.axis]}, &{walk});")
        at += tensor.shape[op.axis]
    return "\n".join(statements)


def _pad(node: Node, op: Pad, names: Names, out: str) -> str:
    strides = strides_of(node.output.shape)
    start = sum(before * stride for (before, _), stride in zip(op.padding, strides, strict=True))
    shape = node.inputs[0].shape
    return (
        f"scanlet_zero({out}, {node.output.size});\n"
        f"scanlet_copy({names[0]}, {out} + {start}, &{_walk(shape, strides_of(shape), strides)});"
    )


def _gather(node: Node, op: Gather, names: Names, out: str) -> str:
    table = node.inputs[0].shape
    outer, width = 1, 1
    for n in table[: op.axis]:
        outer *= n
    for n in table[op.axis + 1 :]:
        width *= n
    return (
        f"if (scanlet_gather({names[0]}, {names[1]}, {out}, {outer}, {table[op.axis]}, {width}, "
        f"{node.inputs[1].size}) != 0) return -1;"
    )


CALLS: dict[type[Operator], Callable[[Node, Any, Names, str], str]] = {
    Binary: _binary,
    Concatenate: _concatenate,
    Conv1d: _conv1d,
    Gather: _gather,
    Linear: _linear,
    Pad: _pad,
    Pool1d: _pool1d,
    Reduce: _reduce,
    Reshape: _reshape,
    Softmax: _softmax,
    StridedSlice: _strided_slice,
    Transpose: _transpose,
    Unary: _unary,
}
