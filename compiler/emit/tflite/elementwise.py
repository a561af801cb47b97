"""Pointwise operators, and GELU as a kind of our own operator."""

from __future__ import annotations

import tflite

from scanlet.emit.tflite.assembly import Assembly
from scanlet.errors import EmitError
from scanlet.graph import Node
from scanlet.graph.operators import Binary, Dequantize, Quantize, Unary

BINARY = {
    "add": "ADD",
    "sub": "SUB",
    "mul": "MUL",
    "div": "DIV",
    "maximum": "MAXIMUM",
    "minimum": "MINIMUM",
    "squared_difference": "SQUARED_DIFFERENCE",
}
WITH_ACTIVATION = frozenset({"add", "sub", "mul", "div"})
UNARY = {
    "relu": "RELU",
    "relu6": "RELU6",
    "tanh": "TANH",
    "sigmoid": "LOGISTIC",
    "exp": "EXP",
    "log": "LOG",
    "neg": "NEG",
    "abs": "ABS",
    "sqrt": "SQRT",
    "rsqrt": "RSQRT",
    "square": "SQUARE",
}
MAX_BROADCAST_RANK = 4


def binary(assembly: Assembly, node: Node, op: Binary) -> None:
    """ADD, SUB, ...: NumPy broadcasting up to rank 4, any rank for equal shapes."""
    left, right = node.inputs
    if left.shape != right.shape and len(node.output.shape) > MAX_BROADCAST_RANK:
        raise EmitError(
            f"{op.kind} broadcasts {left.shape} and {right.shape}; TFLite Micro takes rank "
            f"{MAX_BROADCAST_RANK}",
            where=node.source.module or node.output.name,
        )
    options = {}
    if op.kind in WITH_ACTIVATION:
        options["FusedActivationFunction"] = tflite.ActivationFunctionType.NONE
    in_images = left.shape == right.shape and all(map(assembly.has_only_image, node.inputs))
    index = assembly.image if in_images else assembly.index
    inputs = [index(tensor) for tensor in node.inputs]
    produce = assembly.produce_image if in_images else assembly.produce
    assembly.operator(BINARY[op.kind], inputs, produce(node.output), **options)


def unary(assembly: Assembly, node: Node, op: Unary) -> None:
    """RELU, TANH, ...; GELU (with the error function) is a SELECTIVE_SSM node of its own kind."""
    x = node.inputs[0]
    if op.kind == "gelu":
        from scanlet.emit.parameters.custom_options import encode_gelu

        assembly.custom_operator([assembly.index(x)], assembly.produce(node.output), encode_gelu())
        return
    if op.kind not in UNARY:
        raise EmitError(
            f"no TFLite Micro operator computes {op.kind}",
            where=node.source.module or node.output.name,
            hint="run the passes first: they decompose it",
        )
    _pointwise(assembly, node, UNARY[op.kind])


def quantize(assembly: Assembly, node: Node, op: Quantize) -> None:  # noqa: ARG001
    """QUANTIZE from float32, or from other integers; the parameters are the output tensor's."""
    _pointwise(assembly, node, "QUANTIZE")


def dequantize(assembly: Assembly, node: Node, op: Dequantize) -> None:  # noqa: ARG001
    """DEQUANTIZE to float32; the parameters are the input tensor's."""
    _pointwise(assembly, node, "DEQUANTIZE")


def _pointwise(assembly: Assembly, node: Node, name: str) -> None:
    x = node.inputs[0]
    if assembly.has_only_image(x):
        assembly.operator(name, [assembly.image(x)], assembly.produce_image(node.output))
    else:
        assembly.operator(name, [assembly.index(x)], assembly.produce(node.output))
