"""One function an operator on quantized tensors: the C statement that computes it.

The functions called lie in tflm_ops/shell/int_*.h and follow TFLite's arithmetic; factors are
derived here, tables become constants of the library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scanlet.emit.c_text import c_float, c_struct
from scanlet.emit.generic import layout as generic_layout
from scanlet.emit.generic.calls import broadcast, conv1d_shape, reduction
from scanlet.emit.generic.layout import Names
from scanlet.emit.generic.tables import exponentials8, function8, sigmoid16, softmax16
from scanlet.emit.parameters.fixed_factor import divided, fixed_factor
from scanlet.errors import GraphError
from scanlet.graph import Node, Quantization, Tensor
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Dequantize,
    Gather,
    Linear,
    Operator,
    Pad,
    Pool1d,
    Quantize,
    Reduce,
    Reshape,
    Softmax,
    StridedSlice,
    Transpose,
    Unary,
)

#: Makes an array a constant of the library and returns its name in C.
Constant = Callable[[str, np.ndarray], str]

TYPE = {"int8": "SCANLET_Q8", "int16": "SCANLET_Q16"}
#: Bits by which the operands of a sum are raised (TFLite's left_shift).
RAISED = {"int8": 20, "int16": 15}


def is_integer(node: Node) -> bool:
    """Whether a node works on stored integers (SELECTIVE_SSM apart)."""
    return node.output.quantization is not None or isinstance(node.op, Dequantize)


def integer_call(node: Node, names: Names, out: str, constant: Constant) -> str:
    """The statements. Raises GraphError for an operator without an integer form."""
    call = CALLS.get(type(node.op))
    if call is None:
        raise GraphError(f"{node.op} has no integer form in C", where=node.source.module)
    return call(node, node.op, names, out, constant)


# -- parameters --------------------------------------------------------------------------------
def _scale(tensor: Tensor) -> float:
    return _quantization(tensor).scales[0]


def _zero(tensor: Tensor) -> int:
    return _quantization(tensor).zero_points[0]


def _quantization(tensor: Tensor) -> Quantization:
    if tensor.quantization is None:
        raise GraphError(f"tensor {tensor.name!r} has no scale")
    return tensor.quantization


def _factor(real: float) -> str:
    return _factor_of(fixed_factor(real))


def _factor_of(factor: tuple[int, int]) -> str:
    return c_struct("scanlet_q_factor", factor=factor[0], shift=factor[1])


def _range(tensor: Tensor, activation: str | None = None) -> tuple[int, int, int]:
    """(zero, low, high) of the stored results, with an activation fused."""
    info, zero = np.iinfo(tensor.dtype), _zero(tensor)
    low, high = int(info.min), int(info.max)
    if activation in ("relu", "relu6"):
        low = max(low, zero)
    if activation == "relu6":
        high = min(high, zero + round(6.0 / _scale(tensor)))
    return zero, low, high


def _output(tensor: Tensor, activation: str | None = None) -> str:
    zero, low, high = _range(tensor, activation)
    return c_struct("scanlet_q_output", zero=zero, low=low, high=high)


# -- products ----------------------------------------------------------------------------------
def _rows(node: Node, activation: str | None, names: Names, constant: Constant) -> str:
    x, weight, y = node.inputs[0], node.inputs[1], node.output
    scales = _quantization(weight).scales
    if len(scales) == 1:
        scales *= weight.shape[0]
    factors = [fixed_factor(_scale(x) * scale / _scale(y)) for scale in scales]
    return c_struct(
        "scanlet_q_rows",
        x_zero=_zero(x),
        bias=names[2] if len(names) > 2 else "NULL",
        factor=constant(f"{y.name}.factor", np.array([f for f, _ in factors], np.int32)),
        shift=constant(f"{y.name}.shift", np.array([s for _, s in factors], np.int8)),
        y=_range(y, activation),
    )


def _linear(node: Node, op: Linear, names: Names, out: str, constant: Constant) -> str:
    outputs, depth = node.inputs[1].shape
    return (
        f"scanlet_q_linear({TYPE[node.output.dtype]}, {names[0]}, {names[1]}, {out}, "
        f"{node.output.size // outputs}, {depth}, {outputs}, "
        f"&{_rows(node, op.activation, names, constant)});"
    )


def _conv1d(node: Node, op: Conv1d, names: Names, out: str, constant: Constant) -> str:
    return (
        f"scanlet_q_conv1d({TYPE[node.output.dtype]}, {names[0]}, {names[1]}, {out}, "
        f"&{conv1d_shape(node, op)}, &{_rows(node, op.activation, names, constant)});"
    )


# -- pointwise ---------------------------------------------------------------------------------
def _binary(node: Node, op: Binary, names: Names, out: str, constant: Constant) -> str:  # noqa: ARG001
    first, second, y = *node.inputs, node.output
    if op.kind in ("add", "sub"):
        up = RAISED[y.dtype]
        common = 2 * max(_scale(first), _scale(second))
        factors = (_scale(first) / common, _scale(second) / common, common / 2**up / _scale(y))
    else:
        up, factors = 0, (0.0, 0.0, _scale(first) * _scale(second) / _scale(y))
    operands = c_struct(
        "scanlet_q_operands",
        first_zero=_zero(first),
        second_zero=_zero(second),
        up=up,
        by_first=fixed_factor(factors[0]),
        by_second=fixed_factor(factors[1]),
        by_y=fixed_factor(factors[2]),
        y=_range(y),
    )
    return (
        f"scanlet_q_binary({TYPE[y.dtype]}, SCANLET_{op.kind.upper()}, {names[0]}, {names[1]}, "
        f"{out}, &{broadcast(node)}, &{operands});"
    )


def _unary(node: Node, op: Unary, names: Names, out: str, constant: Constant) -> str:
    x, y = node.inputs[0], node.output
    if y.dtype == "int8":
        table = constant(f"{y.name}.table", function8(node))
        return f"scanlet_q_lookup({table}, {names[0]}, {out}, {y.size});"
    if op.kind in ("sigmoid", "tanh"):
        table = constant("sigmoid", sigmoid16())
        factor, shift = _table_steps(_scale(x))
        return f"scanlet_q_{op.kind}16({table}, {names[0]}, {out}, {y.size}, {factor}, {shift});"
    return _rescale(node, names, out, op.kind if op.kind in ("relu", "relu6") else None)


def _table_steps(scale: float) -> tuple[int, int]:
    """(factor, shift): one step of int16 in steps of 1 / 12288, with 15 bits, as TFLite has it."""
    steps, shift = scale * 12288, 0
    while steps <= 32767 / 2 and shift <= 30:
        steps, shift = steps * 2, shift + 1
    return min(int(steps), 32767), shift


def _rescale(node: Node, names: Names, out: str, activation: str | None = None) -> str:
    x, y = node.inputs[0], node.output
    return (
        f"scanlet_q_requantize({TYPE[x.dtype]}, {TYPE[y.dtype]}, {names[0]}, {out}, {y.size}, "
        f"{_zero(x)}, {_factor(_scale(x) / _scale(y))}, {_output(y, activation)}, "
        f"{int(node.op == Unary('abs'))});"
    )


def _quantize(node: Node, op: Quantize, names: Names, out: str, constant: Constant) -> str:  # noqa: ARG001
    if node.inputs[0].quantization is not None:
        return _rescale(node, names, out)
    y = node.output
    return (
        f"scanlet_q_quantize({TYPE[y.dtype]}, {names[0]}, {out}, {y.size}, "
        f"{c_float(op.scale)}, {_output(y)});"
    )


def _dequantize(node: Node, op: Dequantize, names: Names, out: str, constant: Constant) -> str:  # noqa: ARG001
    return (
        f"scanlet_q_dequantize({TYPE[op.dtype]}, {names[0]}, {out}, {node.output.size}, "
        f"{c_float(op.scale)}, {op.zero_point});"
    )


def _softmax(node: Node, op: Softmax, names: Names, out: str, constant: Constant) -> str:  # noqa: ARG001
    x, y = node.inputs[0], node.output
    width = y.shape[-1]
    shape = f"{names[0]}, {out}, {y.size // width}, {width}"
    if y.dtype == "int8":
        table = constant(f"{y.name}.exp", exponentials8(_scale(x), width))
        return f"scanlet_q_softmax8({table}, {shape});"
    exp_table, inverse_table = softmax16()
    tables = f"{constant('exp', exp_table)}, {constant('inverse', inverse_table)}"
    return f"scanlet_q_softmax16({tables}, {shape}, {_factor(_scale(x) * 6553.5)});"


# -- windows and axes --------------------------------------------------------------------------
def _reduce(node: Node, op: Reduce, names: Names, out: str, constant: Constant) -> str:  # noqa: ARG001
    x, y = node.inputs[0], node.output
    factor = fixed_factor(_scale(x) / _scale(y))
    if op.kind == "mean":
        factor = divided(factor, x.size // y.size)
    return (
        f"scanlet_q_reduce({TYPE[y.dtype]}, SCANLET_{op.kind.upper()}, {names[0]}, {out}, "
        f"&{reduction(node, op)}, {_zero(x)}, {_factor_of(factor)}, {_output(y)});"
    )


def _pool1d(node: Node, op: Pool1d, names: Names, out: str, constant: Constant) -> str:  # noqa: ARG001
    _, length, channels = node.output.shape
    return (
        f"scanlet_q_pool1d({TYPE[node.output.dtype]}, {names[0]}, {out}, {length}, {channels}, "
        f"{op.kernel}, {op.stride}, {int(op.kind == 'mean')});"
    )


# -- layout ------------------------------------------------------------------------------------
def _moved(function: Callable[..., str]) -> Callable[..., str]:
    def call(node: Node, op: Any, names: Names, out: str, constant: Constant) -> str:  # noqa: ARG001
        return function(node, op, names, out, f"scanlet_q_copy({TYPE[node.output.dtype]}, ")

    return call


def _pad(node: Node, op: Pad, names: Names, out: str, constant: Constant) -> str:  # noqa: ARG001
    y = node.output
    kind = TYPE[y.dtype]
    fill = f"scanlet_q_fill({kind}, {out}, {y.size}, {_zero(y)});"
    return generic_layout.pad(node, op, names, out, f"scanlet_q_copy({kind}, ", fill)


def _gather(node: Node, op: Gather, names: Names, out: str, constant: Constant) -> str:  # noqa: ARG001
    look_up = f"scanlet_q_gather({TYPE[node.output.dtype]}, "
    return generic_layout.gather(node, op, names, out, look_up)


CALLS: dict[type[Operator], Callable[[Node, Any, Names, str, Constant], str]] = {
    Binary: _binary,
    Concatenate: _moved(generic_layout.concatenate),
    Conv1d: _conv1d,
    Dequantize: _dequantize,
    Gather: _gather,
    Linear: _linear,
    Pad: _pad,
    Pool1d: _pool1d,
    Quantize: _quantize,
    Reduce: _reduce,
    Reshape: _moved(generic_layout.reshape),
    Softmax: _softmax,
    StridedSlice: _moved(generic_layout.strided_slice),
    Transpose: _moved(generic_layout.transpose),
    Unary: _unary,
}
