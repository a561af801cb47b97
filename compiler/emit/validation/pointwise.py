"""Rules of pointwise operators, SOFTMAX among them."""

from __future__ import annotations

from scanlet.emit.validation.node import QUANTIZED, Node, scale
from scanlet.quantization.parameters import FIXED_OUTPUTS

MAX_BROADCAST_RANK = 4
SOFTMAX_RANK = 4
#: Fractional bits of TFLM's integer ADD and SUB; the rescaling behind them must shrink.
ADD_BITS = {"int8": 20, "int16": 15}
#: TFLM multiplies a step of the input of an integer SOFTMAX by this; the product must exceed 1.
SOFTMAX_GAIN = 2.0**26
FIXED_KINDS = {"LOGISTIC": "sigmoid", "TANH": "tanh", "SOFTMAX": "softmax"}


def unary(node: Node) -> None:
    """One input, an output of the same shape and type."""
    node.need_inputs(1)
    node.need_output(node.x.shape, node.x.dtype)
    _check_fixed_output(node)


def softmax(node: Node) -> None:
    """As `unary`, over the last of at most four axes."""
    unary(node)
    node.need(node.op.options["beta"] == 1.0, f"has beta {node.op.options['beta']}, 1 expected")
    node.need(1 <= len(node.x.shape) <= SOFTMAX_RANK, f"reads rank {len(node.x.shape)}")
    if node.x.quantization is not None:
        node.need(scale(node.x) * SOFTMAX_GAIN > 1, f"reads steps of {scale(node.x):g}")


def binary(node: Node) -> None:
    """Two inputs of one type, broadcast up to rank 4."""
    node.need_inputs(2)
    left, right = node.tensor(0), node.tensor(1)
    node.need(left.dtype == right.dtype, f"mixes {left.dtype} and {right.dtype}")
    if left.shape == right.shape:
        node.need_output(left.shape, left.dtype)
    else:
        rank = max(len(left.shape), len(right.shape))
        node.need(rank <= MAX_BROADCAST_RANK, f"broadcasts rank {rank}")
        pairs = zip(_extended(left.shape, rank), _extended(right.shape, rank), strict=True)
        shape = []
        for a, b in pairs:
            node.need(a == b or 1 in (a, b), f"broadcasts {left.shape} with {right.shape}")
            shape.append(max(a, b))
        node.need_output(shape, left.dtype)
    _check_activation(node)
    if node.op.name in ("ADD", "SUB") and node.output.dtype in QUANTIZED:
        gain = 2 * max(scale(left), scale(right)) / scale(node.output)
        bits = ADD_BITS[node.output.dtype]
        node.need(gain < 2.0**bits, f"scales a step up by {gain:g}")


def quantize(node: Node) -> None:
    """To stored integers, from real numbers or other integers."""
    node.need_inputs(1)
    node.need_output(node.x.shape)
    node.need(node.x.dtype in ("float32", *QUANTIZED), f"reads {node.x.dtype}")
    node.need(node.output.dtype in QUANTIZED, f"writes {node.output.dtype}")


def dequantize(node: Node) -> None:
    """From stored integers to real numbers."""
    node.need_inputs(1)
    node.need_output(node.x.shape, "float32")
    node.need(node.x.dtype in QUANTIZED, f"reads {node.x.dtype}")


def _check_fixed_output(node: Node) -> None:
    fixed = FIXED_OUTPUTS.get((FIXED_KINDS.get(node.op.name, ""), node.output.dtype))
    if fixed is not None and node.output.quantization != fixed:
        node.refuse(f"does not write steps of {fixed.scales[0]:g}")


def _check_activation(node: Node) -> None:
    activation = node.op.options.get("fused_activation_function", 0)
    node.need(activation == 0, f"has the fused activation {activation}")


def _extended(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape
