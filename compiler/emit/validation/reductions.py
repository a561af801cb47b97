"""Rules of MEAN, SUM, REDUCE_MAX and REDUCE_MIN."""

from __future__ import annotations

from scanlet.emit.validation.node import Node

#: TFLM's MEAN copies the axes into an array of four without a check.
MAX_AXES = 4


def reduce(node: Node) -> None:
    """Constant axes, each once, of what is then gone or of length 1."""
    node.need_inputs(2)
    rank, count = len(node.x.shape), len(node.tensor(1).shape)
    node.need(count == 1, f"has axes of rank {count}")
    found = node.tensor(1).shape[0]
    node.need(found <= MAX_AXES, f"reduces {found} axes, {MAX_AXES} at most")
    axes = node.integers(1, (found,)).tolist()
    node.need(all(-rank <= axis < rank for axis in axes), f"reduces axes {axes} of rank {rank}")
    gone = {axis % rank for axis in axes}
    node.need(len(gone) == len(axes), f"reduces axes {axes}, some of them twice")
    if node.op.options["keep_dims"]:
        shape = [1 if axis in gone else n for axis, n in enumerate(node.x.shape)]
    else:
        shape = [n for axis, n in enumerate(node.x.shape) if axis not in gone]
    node.need_output(shape, node.x.dtype)
