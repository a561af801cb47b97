"""What TFLite Micro's integer kernels take for granted about a node's tensors."""

from __future__ import annotations

from scanlet.errors import EmitError
from scanlet.graph import Node, Tensor
from scanlet.graph.operators import Conv1d, Dequantize, Linear, Quantize
from scanlet.quantization.scales import fixed_output, keeps_scale


def check_quantization(node: Node) -> None:
    """Raise EmitError naming the node where the kernel would refuse it or compute nonsense."""
    output, values = node.output, _values(node)
    if isinstance(node.op, Quantize):
        _check_parameters(node, node.op, output)
        return
    if isinstance(node.op, Dequantize):
        _check_parameters(node, node.op, node.inputs[0])
        return
    if output.quantization is None:
        for tensor in values:
            if tensor.quantization is not None:
                raise _error(node, f"reads {tensor.name!r}, which is {tensor.dtype}, in float")
        return
    for tensor in values:
        if tensor.quantization is None or tensor.dtype != output.dtype:
            found = tensor.dtype if tensor.quantization else f"{tensor.dtype} without a scale"
            raise _error(node, f"is {output.dtype}, but its input {tensor.name!r} is {found}")
        if keeps_scale(node, output.dtype) and tensor.quantization != output.quantization:
            raise _error(node, f"cannot rescale its input {tensor.name!r}")
    if output.dtype == "int16" and any(
        tensor.quantization and any(tensor.quantization.zero_points) for tensor in (*values, output)
    ):
        raise _error(node, "has an int16 tensor with a zero point")
    fixed = fixed_output(node, output.dtype)
    if fixed is not None and output.quantization != fixed:
        raise _error(
            node, f"has the output scale {output.quantization.scales[0]:g}, which is fixed"
        )


def _values(node: Node) -> list[Tensor]:
    """The inputs that hold activations' values (not weights, biases, indices)."""
    if isinstance(node.op, (Linear, Conv1d)):
        return node.inputs[:1]
    return [tensor for tensor in node.inputs if tensor.dtype not in ("int32", "int64", "bool")]


def _check_parameters(node: Node, op: Quantize | Dequantize, tensor: Tensor) -> None:
    found = tensor.quantization
    if found is None or (found.scales, found.zero_points) != ((op.scale,), (op.zero_point,)):
        raise _error(node, f"and the tensor {tensor.name!r} disagree about the scale")


def _error(node: Node, what: str) -> EmitError:
    return EmitError(
        f"{type(node.op).__name__} {what}",
        where=node.source.module or node.output.name,
        hint="quantize the graph with scanlet.quantization.network.quantize_graph",
    )
