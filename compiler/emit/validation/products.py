"""Rules of FULLY_CONNECTED, CONV_2D, DEPTHWISE_CONV_2D and the pools."""

from __future__ import annotations

import math

from scanlet.emit.model_description import TensorDescription
from scanlet.emit.validation.node import Node, scale

IMAGE_RANK = 4
#: NONE, RELU, RELU6 of the schema's ActivationFunctionType.
ACTIVATIONS = (0, 1, 3)
SAME, VALID = 0, 1
#: How far a bias's scale may be from the product of the others.
SCALE_TOLERANCE = 1e-3
#: Largest factor by which a sum of integer products is multiplied.
MAX_GAIN = 2.0**16


def fully_connected(node: Node) -> None:
    """x (..., in), weights (out, in), an optional bias (out,)."""
    node.need_inputs(2, 3)
    x, weights = node.tensor(0), node.tensor(1)
    node.need(len(weights.shape) == 2, f"has weights of shape {weights.shape}")
    out, inside = weights.shape if len(weights.shape) == 2 else (0, 0)
    node.need(x.shape and x.shape[-1] == inside, f"multiplies {x.shape} by {weights.shape}")
    node.need(node.op.options["weights_format"] == 0, "has shuffled weights")
    rows: tuple[int, ...] = x.shape[:-1]
    if not node.op.options["keep_num_dims"]:
        rows = (math.prod(rows),)
    node.need_output((*rows, out), x.dtype)
    _check_weights(node, weights, axis=0, channels=out)


def conv(node: Node) -> None:
    """x (N, H, W, C), filter (out, kh, kw, C), bias (out,)."""
    node.need_inputs(3)
    image, kernel = _images(node)
    node.need(kernel.shape[3] == image.shape[3], f"has a filter {kernel.shape} on {image.shape}")
    _check_window(node, kernel.shape[1], kernel.shape[2], kernel.shape[0])
    _check_weights(node, kernel, axis=0, channels=kernel.shape[0])


def depthwise(node: Node) -> None:
    """x (N, H, W, C), filter (1, kh, kw, C * multiplier), bias (C * multiplier,)."""
    node.need_inputs(3)
    image, kernel = _images(node)
    channels, multiplier = kernel.shape[3], node.op.options["depth_multiplier"]
    fits = kernel.shape[0] == 1 and multiplier >= 1 and image.shape[3] * multiplier == channels
    node.need(fits, f"has a filter {kernel.shape}, {multiplier} a channel, on {image.shape}")
    _check_window(node, kernel.shape[1], kernel.shape[2], channels)
    _check_weights(node, kernel, axis=3, channels=channels)


def pool(node: Node) -> None:
    """x (N, H, W, C), a window inside of it."""
    node.need_inputs(1)
    node.need(len(node.x.shape) == IMAGE_RANK, f"reads rank {len(node.x.shape)}")
    options = node.op.options
    _check_window(node, options["filter_height"], options["filter_width"], node.x.shape[3])


def _images(node: Node) -> tuple[TensorDescription, TensorDescription]:
    image, kernel = node.tensor(0), node.tensor(1)
    for tensor in (image, kernel):
        if len(tensor.shape) != IMAGE_RANK:
            node.refuse(f"reads {tensor.name!r} of rank {len(tensor.shape)}, {IMAGE_RANK} expected")
    return image, kernel


def _check_window(node: Node, height: int, width: int, channels: int) -> None:
    """The output's shape follows from the window and its steps."""
    options = node.op.options
    node.need(options["fused_activation_function"] in ACTIVATIONS, "has an odd fused activation")
    padding = options["padding"]
    node.need(padding in (SAME, VALID), f"has the padding {padding}")
    shape = [node.x.shape[0]]
    for n, size, key in ((node.x.shape[1], height, "h"), (node.x.shape[2], width, "w")):
        stride, dilation = options[f"stride_{key}"], options.get(f"dilation_{key}_factor", 1)
        odd = f"has a window of {size} with stride {stride} and dilation {dilation} on {n}"
        node.need(size >= 1 and 1 <= stride <= max(n, 1) and 1 <= dilation <= n, odd)
        reach = (size - 1) * dilation + 1
        if padding == VALID:
            node.need(reach <= n, odd)
            shape.append((n - reach) // stride + 1)
        else:
            node.need(reach <= 2 * n, odd)
            shape.append(-(-n // stride))
    node.need_output((*shape, channels), node.x.dtype)


def _check_weights(node: Node, weights: TensorDescription, *, axis: int, channels: int) -> None:
    """Constant weights and bias of the types and scales that go with x."""
    x, y = node.x, node.output
    activation = node.op.options["fused_activation_function"]
    node.need(activation in ACTIVATIONS, f"has the fused activation {activation}")
    integer = x.quantization is not None
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    node.need(weights.constant, f"has weights {weights.name!r} that are not constant")
    wanted = "int8" if integer else "float32"
    node.need(weights.dtype == wanted, f"multiplies {x.dtype} by {weights.dtype}")
    if bias is None:
        node.need(node.op.name == "FULLY_CONNECTED", "has no bias")
    else:
        kind = {"float32": "float32", "int8": "int32", "int16": "int64"}.get(x.dtype)
        fits = bias.constant and bias.shape == (channels,) and bias.dtype == kind
        node.need(fits, f"has a bias {bias.dtype} {bias.shape}, {kind} ({channels},) expected")
    if not integer or weights.quantization is None:
        node.need(not integer, f"has weights {weights.name!r} without a scale")
        return
    found = weights.quantization
    node.need(found.axis in (None, axis), f"has a scale an index of axis {found.axis}")
    node.need(not any(found.zero_points), "has weights with a zero point")
    for one in found.scales:
        gain = scale(x) * one / scale(y)
        node.need(gain <= MAX_GAIN, f"scales a sum up by {gain:g}")
    if bias is not None:
        _check_bias(node, bias, [scale(x) * one for one in found.scales])


def _check_bias(node: Node, bias: TensorDescription, steps: list[float]) -> None:
    """Its scales are the products of the others', its zero point 0."""
    if bias.quantization is None:
        node.refuse(f"has a bias {bias.name!r} without a scale")
    scales = bias.quantization.scales
    if len(scales) == 1:
        scales *= len(steps)
    elif len(steps) == 1:
        steps = steps * len(scales)
    fits = len(scales) == len(steps) and all(
        math.isclose(a, b, rel_tol=SCALE_TOLERANCE) for a, b in zip(scales, steps, strict=True)
    )
    node.need(fits, f"has a bias {bias.name!r} in other steps than its products")
    node.need(not any(bias.quantization.zero_points), "has a bias with a zero point")
