"""The operators of the graph, one family a file."""

from scanlet.graph.operators.base import LayerOperator, Operator, Shape
from scanlet.graph.operators.elementwise import BINARY, UNARY, Binary, Unary
from scanlet.graph.operators.integer_ssm import INTEGER_WEIGHT_ORDER, IntegerSSM
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
from scanlet.graph.operators.quantize import Dequantize, Quantize
from scanlet.graph.operators.reduction import REDUCTIONS, Reduce
from scanlet.graph.operators.selective_ssm import WEIGHT_ORDER, SelectiveSSM

__all__ = [
    "BINARY",
    "INTEGER_WEIGHT_ORDER",
    "REDUCTIONS",
    "UNARY",
    "WEIGHT_ORDER",
    "Binary",
    "ChannelAffine",
    "Concatenate",
    "Conv1d",
    "Dequantize",
    "Flip",
    "Gather",
    "IntegerSSM",
    "LayerOperator",
    "Linear",
    "Norm",
    "Operator",
    "Pad",
    "Pool1d",
    "Quantize",
    "Reduce",
    "Reshape",
    "SelectiveSSM",
    "Shape",
    "Softmax",
    "StridedSlice",
    "Transpose",
    "Unary",
]
