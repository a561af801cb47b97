"""The operators of the graph, one family a file."""

from scanlet.graph.operators.base import Carried, LayerOperator, Operator, Shape
from scanlet.graph.operators.diagonal_ssm import DIAGONAL_WEIGHT_ORDER, DiagonalSSM
from scanlet.graph.operators.elementwise import BINARY, UNARY, Binary, Unary
from scanlet.graph.operators.integer_ssm import INTEGER_WEIGHT_ORDER, IntegerSSM
from scanlet.graph.operators.integer_stream_pool import IntegerStreamPool
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
from scanlet.graph.operators.mamba2 import MAMBA2_WEIGHT_ORDER, Mamba2
from scanlet.graph.operators.normalization import ChannelAffine, Norm, Softmax
from scanlet.graph.operators.quantize import Dequantize, Quantize
from scanlet.graph.operators.reduction import REDUCTIONS, Reduce
from scanlet.graph.operators.selective_scan import SCAN_WEIGHT_ORDER, SelectiveScan
from scanlet.graph.operators.selective_ssm import WEIGHT_ORDER, SelectiveSSM
from scanlet.graph.operators.streaming import StreamHistory, StreamPool

#: The layers that compute on float32; their `run` takes batches and carries state.
FLOAT_LAYERS = (SelectiveSSM, Mamba2, DiagonalSSM, SelectiveScan)

__all__ = [
    "BINARY",
    "DIAGONAL_WEIGHT_ORDER",
    "FLOAT_LAYERS",
    "INTEGER_WEIGHT_ORDER",
    "MAMBA2_WEIGHT_ORDER",
    "REDUCTIONS",
    "SCAN_WEIGHT_ORDER",
    "UNARY",
    "WEIGHT_ORDER",
    "Binary",
    "Carried",
    "ChannelAffine",
    "Concatenate",
    "Conv1d",
    "Dequantize",
    "DiagonalSSM",
    "Flip",
    "Gather",
    "IntegerSSM",
    "IntegerStreamPool",
    "LayerOperator",
    "Linear",
    "Mamba2",
    "Norm",
    "Operator",
    "Pad",
    "Pool1d",
    "Quantize",
    "Reduce",
    "Reshape",
    "SelectiveSSM",
    "SelectiveScan",
    "Shape",
    "Softmax",
    "StreamHistory",
    "StreamPool",
    "StridedSlice",
    "Transpose",
    "Unary",
]
