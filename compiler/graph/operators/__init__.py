"""The operators of the graph, one family a file."""

from scanlet.graph.operators.base import Operator, Shape
from scanlet.graph.operators.elementwise import BINARY, UNARY, Binary, Unary
from scanlet.graph.operators.layout import (
    Concatenate,
    Flip,
    Gather,
    Pad,
    Reshape,
    StridedSlice,
    Transpose,
)
from scanlet.graph.operators.linear import Conv1d, Linear, Pool1d
from scanlet.graph.operators.normalization import ChannelAffine, Norm, Softmax
from scanlet.graph.operators.reduction import REDUCTIONS, Reduce
from scanlet.graph.operators.selective_ssm import WEIGHT_ORDER, SelectiveSSM

__all__ = [
    "BINARY",
    "REDUCTIONS",
    "UNARY",
    "WEIGHT_ORDER",
    "Binary",
    "ChannelAffine",
    "Concatenate",
    "Conv1d",
    "Flip",
    "Gather",
    "Linear",
    "Norm",
    "Operator",
    "Pad",
    "Pool1d",
    "Reduce",
    "Reshape",
    "SelectiveSSM",
    "Shape",
    "Softmax",
    "StridedSlice",
    "Transpose",
    "Unary",
]
