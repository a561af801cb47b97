"""The last pass: every node can be emitted, or the model is refused by name."""

from __future__ import annotations

from scanlet.errors import UnsupportedModelError
from scanlet.graph import Graph, Node
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    DiagonalSSM,
    Gather,
    Linear,
    Mamba2,
    Pad,
    Pool1d,
    Reduce,
    Reshape,
    SelectiveScan,
    SelectiveSSM,
    Softmax,
    StreamHistory,
    StreamPool,
    StridedSlice,
    Transpose,
    Unary,
)
from scanlet.passes.explicit_padding import is_same_padding
from scanlet.passes.fuse_activation import FUSED_ACTIVATIONS
from scanlet.passes.limit_concatenation import MAX_INPUTS
from scanlet.passes.limit_rank import MAX_BROADCAST_RANK, broadcasts
from scanlet.passes.rewrite import where

LEGAL_OPERATORS = (
    Linear,
    Conv1d,
    Pool1d,
    Binary,
    Unary,
    Softmax,
    Reduce,
    Reshape,
    Transpose,
    StridedSlice,
    Concatenate,
    Pad,
    Gather,
    SelectiveSSM,
    Mamba2,
    DiagonalSSM,
    SelectiveScan,
    StreamHistory,
    StreamPool,
)
LEGAL_UNARY = frozenset(
    [
        "relu",
        "relu6",
        "tanh",
        "sigmoid",
        "exp",
        "log",
        "neg",
        "abs",
        "sqrt",
        "rsqrt",
        "square",
        "gelu",
    ]
)
MAX_RANK = 5


def check_legal(graph: Graph) -> bool:
    """Needs all other passes. Ensures that the emitters know every node; changes nothing.

    Raises UnsupportedModelError naming the module that a node comes from.
    """
    for node in graph.nodes:
        problem = _problem(node)
        if problem:
            raise UnsupportedModelError(problem, where=where(node))
    computed = {id(node.output) for node in graph.nodes}
    for tensor in graph.outputs:
        if id(tensor) not in computed:
            raise UnsupportedModelError(
                f"output {tensor.name!r} is not computed by any operator",
                hint="return something that the model computes from its input",
            )
    if len({id(tensor) for tensor in graph.outputs}) < len(graph.outputs):
        raise UnsupportedModelError("the model returns the same tensor twice")
    return False


def _problem(node: Node) -> str | None:
    op = node.op
    if not isinstance(op, LEGAL_OPERATORS):
        return f"{op} has no TFLite counterpart"
    rank = max(len(tensor.shape) for tensor in (*node.inputs, *node.outputs))
    if rank > MAX_RANK:
        return f"{op} on tensors of rank {rank}; TFLite Micro takes {MAX_RANK}"
    match op:
        case Binary(kind) if broadcasts(node) and rank > MAX_BROADCAST_RANK:
            shapes = " and ".join(str(tensor.shape) for tensor in node.inputs)
            return f"{kind} broadcasts {shapes}; TFLite Micro takes rank {MAX_BROADCAST_RANK}"
        case Unary(kind) if kind not in LEGAL_UNARY:
            return f"no operator computes {kind}"
        case Concatenate() if len(node.inputs) > MAX_INPUTS:
            return f"concatenation of {len(node.inputs)} tensors; TFLite Micro takes {MAX_INPUTS}"
        case Linear(activation) | Conv1d(activation=activation) if activation not in (
            None,
            *FUSED_ACTIVATIONS,
        ):
            return f"{activation} cannot be fused into {type(op).__name__}"
        case Conv1d():
            return _conv_problem(node, op)
    return None


def _conv_problem(node: Node, op: Conv1d) -> str | None:
    x, weight = node.inputs[:2]
    if op.groups not in (1, x.shape[2]):
        return (
            f"grouped convolution with {op.groups} groups of {weight.shape[2]} channels; "
            "only groups=1 and depthwise (groups = channels) can be lowered"
        )
    if op.padding != (0, 0) and not is_same_padding(op, x.shape[1], weight.shape[1]):
        return f"convolution padding {op.padding} is not explicit"
    return None
