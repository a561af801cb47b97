"""Linear, Conv1d and Pool1d: FULLY_CONNECTED, CONV_2D, DEPTHWISE_CONV_2D and window pooling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tflite

from scanlet.emit.tflite.assembly import IMAGE_RANK, Assembly
from scanlet.errors import EmitError
from scanlet.graph import Node, Quantization, Tensor
from scanlet.graph.operators import Conv1d, Linear, Pool1d
from scanlet.passes.explicit_padding import is_same_padding

ACTIVATIONS = {
    None: tflite.ActivationFunctionType.NONE,
    "relu": tflite.ActivationFunctionType.RELU,
    "relu6": tflite.ActivationFunctionType.RELU6,
}


def linear(assembly: Assembly, node: Node, op: Linear) -> None:
    """FULLY_CONNECTED over the last axis; weights (out, in), the bias is optional in TFLM."""
    if node.output.dtype == "int16":
        _pointwise_conv(assembly, node, op)
        return
    keep_num_dims = len(node.inputs[0].shape) != 2
    version = 6 if len(node.inputs) == 2 else 5 if keep_num_dims else 1
    assembly.operator(
        "FULLY_CONNECTED",
        [assembly.index(tensor) for tensor in node.inputs],
        assembly.produce(node.output),
        version=version,
        FusedActivationFunction=ACTIVATIONS[op.activation],
        KeepNumDims=keep_num_dims,
    )


def _pointwise_conv(assembly: Assembly, node: Node, op: Linear) -> None:
    """An int16 Linear as a CONV_2D of one tap: esp-nn's int16 FULLY_CONNECTED reads one scale for
    all channels, whatever the file says."""
    rank = len(node.output.shape)
    if not 2 <= rank <= IMAGE_RANK:
        raise EmitError(f"an int16 Linear on tensors of rank {rank}", where=_where(node))
    weight = node.inputs[1]
    if weight.data is None:
        raise EmitError("an int16 Linear needs constant weights", where=_where(node))
    stored = weight.data[:, np.newaxis, np.newaxis]
    inputs = [
        assembly.image(node.inputs[0]),
        assembly.constant(weight.name, stored, weight.dtype, weight.quantization),
        assembly.index(node.inputs[2]) if len(node.inputs) > 2 else _zero_bias(assembly, node),
    ]
    assembly.operator(
        "CONV_2D",
        inputs,
        assembly.produce_image(node.output),
        Padding=tflite.Padding.VALID,
        StrideW=1,
        StrideH=1,
        FusedActivationFunction=ACTIVATIONS[op.activation],
        DilationWFactor=1,
        DilationHFactor=1,
    )


def conv1d(assembly: Assembly, node: Node, op: Conv1d) -> None:
    """CONV_2D or DEPTHWISE_CONV_2D over an image of height 1, time along the width."""
    x, weight = node.inputs[:2]
    channels, (out_channels, kernel, _) = x.shape[2], weight.shape
    if op.groups not in (1, channels):
        raise EmitError(
            f"Conv1d with {op.groups} groups on {channels} channels", where=_where(node)
        )
    if op.padding == (0, 0):
        padding = tflite.Padding.VALID
    elif is_same_padding(op, x.shape[1], kernel):
        padding = tflite.Padding.SAME
    else:
        raise EmitError(f"Conv1d padding {op.padding} is not explicit", where=_where(node))
    options = {
        "Padding": padding,
        "StrideW": op.stride,
        "StrideH": 1,
        "FusedActivationFunction": ACTIVATIONS[op.activation],
        "DilationWFactor": op.dilation,
        "DilationHFactor": 1,
    }
    depthwise = op.groups > 1
    inputs = [
        assembly.image(x),
        _filter(assembly, weight, depthwise),
        assembly.index(node.inputs[2]) if len(node.inputs) > 2 else _zero_bias(assembly, node),
    ]
    output = assembly.produce_image(node.output)
    if depthwise:
        version = 2 if op.dilation > 1 else 1
        options["DepthMultiplier"] = out_channels // channels
        assembly.operator("DEPTHWISE_CONV_2D", inputs, output, version=version, **options)
    else:
        assembly.operator("CONV_2D", inputs, output, **options)


def pool1d(assembly: Assembly, node: Node, op: Pool1d) -> None:
    """AVERAGE_POOL_2D or MAX_POOL_2D over an image of height 1."""
    source = assembly.image(node.inputs[0])
    assembly.operator(
        "AVERAGE_POOL_2D" if op.kind == "mean" else "MAX_POOL_2D",
        [source],
        assembly.produce_image(node.output),
        Padding=tflite.Padding.VALID,
        StrideW=op.stride,
        StrideH=1,
        FilterWidth=op.kernel,
        FilterHeight=1,
        FusedActivationFunction=tflite.ActivationFunctionType.NONE,
    )


def _filter(assembly: Assembly, weight: Tensor, depthwise: bool) -> int:
    """Store (C_out, kernel, C_in / groups) as OHWI, or for depthwise as 1HWC."""
    if weight.data is None:
        raise EmitError("a convolution needs constant weights", where=weight.name)
    if depthwise:
        data, axis = weight.data[:, :, 0].T[np.newaxis, np.newaxis], 3
    else:
        data, axis = weight.data[:, np.newaxis], 0
    quantization = weight.quantization
    if quantization is not None and quantization.axis is not None:
        quantization = replace(quantization, axis=axis)
    return assembly.constant(weight.name, data, weight.dtype, quantization)


def _zero_bias(assembly: Assembly, node: Node) -> int:
    """The integer kernels of TFLM and esp-nn read a convolution's bias unconditionally."""
    zeros = np.zeros(node.output.shape[-1])
    name = f"{node.output.name}_zero_bias"
    x, weight = (tensor.quantization for tensor in node.inputs[:2])
    if x is None or weight is None:
        return assembly.constant(name, zeros)
    steps = tuple(x.scales[0] * scale for scale in weight.scales)
    quantization = Quantization(steps, (0,) * len(steps), 0)
    dtype = "int64" if node.output.dtype == "int16" else "int32"
    return assembly.constant(name, zeros.astype(dtype), dtype, quantization)


def _where(node: Node) -> str:
    return node.source.module or node.output.name
