"""Data movement as C statements; `copy` and the like name the function for the stored type."""

from __future__ import annotations

from scanlet.emit.c_text import c_struct
from scanlet.errors import GraphError
from scanlet.graph import Node
from scanlet.graph.operators import Concatenate, Gather, Pad, Reshape, StridedSlice, Transpose

Shape = tuple[int, ...]
#: Names of a node's input and output arrays in C.
Names = list[str]

#: The beginning of the call that copies floats.
COPY = "scanlet_copy("


def strides_of(shape: Shape) -> Shape:
    """Elements from one index to the next, row-major."""
    strides = [1]
    for n in reversed(shape[1:]):
        strides.append(strides[-1] * n)
    return tuple(reversed(strides)) if shape else ()


def leading(values: Shape, count: int, fill: int) -> Shape:
    if len(values) > count:
        raise GraphError(f"rank {len(values)} is beyond {count}")
    return (fill,) * (count - len(values)) + tuple(values)


def walk(extent: Shape, source: Shape, destination: Shape) -> str:
    return c_struct(
        "scanlet_walk",
        extent=leading(extent, 5, 1),
        source=leading(source, 5, 0),
        destination=leading(destination, 5, 0),
    )


def reshape(
    node: Node,
    op: Reshape,  # noqa: ARG001
    names: Names,
    out: str,
    copy: str = COPY,
) -> str:
    return f"{copy}{names[0]}, {out}, &{walk((node.output.size,), (1,), (1,))});"


def transpose(node: Node, op: Transpose, names: Names, out: str, copy: str = COPY) -> str:
    strides = strides_of(node.inputs[0].shape)
    source = tuple(strides[axis] for axis in op.perm)
    path = walk(node.output.shape, source, strides_of(node.output.shape))
    return f"{copy}{names[0]}, {out}, &{path});"


def strided_slice(node: Node, op: StridedSlice, names: Names, out: str, copy: str = COPY) -> str:
    strides = strides_of(node.inputs[0].shape)
    start = sum(
        slice(b, e, s).indices(n)[0] * stride
        for b, e, s, n, stride in zip(
            op.begin, op.end, op.strides, node.inputs[0].shape, strides, strict=True
        )
    )
    source = tuple(s * stride for s, stride in zip(op.strides, strides, strict=True))
    path = walk(node.output.shape, source, strides_of(node.output.shape))
    return f"{copy}{names[0]} + {start}, {out}, &{path});"


def concatenate(node: Node, op: Concatenate, names: Names, out: str, copy: str = COPY) -> str:
    strides = strides_of(node.output.shape)
    statements, at = [], 0
    for tensor, name in zip(node.inputs, names, strict=True):
        path = walk(tensor.shape, strides_of(tensor.shape), strides)
        statements.append(f"{copy}{name}, {out} + {at * strides[op.axis]}, &{path});")
        at += tensor.shape[op.axis]
    return "\n".join(statements)


def pad(
    node: Node, op: Pad, names: Names, out: str, copy: str = COPY, clear: str | None = None
) -> str:
    strides = strides_of(node.output.shape)
    start = sum(before * stride for (before, _), stride in zip(op.padding, strides, strict=True))
    shape = node.inputs[0].shape
    return (
        f"{clear or f'scanlet_zero({out}, {node.output.size});'}\n"
        f"{copy}{names[0]}, {out} + {start}, &{walk(shape, strides_of(shape), strides)});"
    )


def gather(node: Node, op: Gather, names: Names, out: str, look_up: str = "scanlet_gather(") -> str:
    table = node.inputs[0].shape
    outer, width = 1, 1
    for n in table[: op.axis]:
        outer *= n
    for n in table[op.axis + 1 :]:
        width *= n
    return (
        f"if ({look_up}{names[0]}, {names[1]}, {out}, {outer}, {table[op.axis]}, {width}, "
        f"{node.inputs[1].size}) != 0) return -1;"
    )
