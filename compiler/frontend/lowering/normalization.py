"""Normalization layers at inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from scanlet.errors import InvalidModelError
from scanlet.frontend.lowering.context import Context, Unavailable, Value, axis_of
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import Binary, ChannelAffine, Norm, Reduce, Softmax, Transpose, Unary


@lowers("layer_norm.default")
def layer_norm(
    context: Context,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    # layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None,
    #   float eps=1e-05, bool cudnn_enable=True) -> Tensor
    del cudnn_enable
    return _norm(context, "layer", x, normalized_shape, weight, bias, eps)


@lowers("native_layer_norm.default")
def native_layer_norm(
    context: Context,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None,
    bias: Value | None,
    eps: float,
) -> tuple:
    # native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias,
    #   float eps) -> (Tensor, Tensor, Tensor)
    y = _norm(context, "layer", x, normalized_shape, weight, bias, eps)
    return y, Unavailable("the mean of a LayerNorm"), Unavailable("the scale of a LayerNorm")


@lowers("rms_norm.default")
def rms_norm(
    context: Context,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    eps: float | None = None,
) -> Tensor:
    # rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None)
    #   -> Tensor
    # Without eps PyTorch takes the type's machine epsilon.
    small = float(np.finfo(np.float32).eps) if eps is None else eps
    return _norm(context, "rms", x, normalized_shape, weight, None, small)


@lowers("_fused_rms_norm.default")
def fused_rms_norm(
    context: Context,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None,
    eps: float | None,
) -> tuple:
    # _fused_rms_norm(Tensor input, int[] normalized_shape, Tensor? weight, float? eps)
    #   -> (Tensor, Tensor)
    y = rms_norm(context, x, normalized_shape, weight, eps)
    return y, Unavailable("the scale of an RMSNorm")


def _norm(
    context: Context,
    kind: str,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None,
    bias: Value | None,
    eps: float,
) -> Tensor:
    x = context.activation(x)
    if len(normalized_shape) != 1:
        raise context.refusal(
            f"a norm over the last {len(normalized_shape)} axes",
            hint="normalize over the features alone: LayerNorm(d_model), RMSNorm(d_model)",
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and not isinstance(value, torch.Tensor):
            raise context.refusal(f"the {name} of a norm is computed by the model")
    inputs: list[Value] = [x]
    if weight is not None or bias is not None:
        inputs.append(torch.ones(x.shape[-1]) if weight is None else weight)
    if bias is not None:
        inputs.append(bias)
    return context.emit(Norm(kind, float(eps)), *inputs)


@lowers("batch_norm.default")
def batch_norm(
    context: Context,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value | None,
    running_var: Value | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    # batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean,
    #   Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor
    del momentum, cudnn_enabled
    if training:
        raise InvalidModelError(
            f"batch normalization in training mode (at {context.origin.describe()})",
            where=context.origin.module or "the model itself",
            hint="call model.eval() before exporting; a BatchNorm without running statistics "
            "cannot be compiled",
        )
    x = context.activation(x)
    mean = context.fixed(running_mean, "the running mean of a batch normalization")
    variance = context.fixed(running_var, "the running variance of a batch normalization")
    scale = 1.0 / np.sqrt(variance + eps)
    if weight is not None:
        scale = scale * context.fixed(weight, "the weight of a batch normalization")
    offset = -mean * scale
    if bias is not None:
        offset = offset + context.fixed(bias, "the bias of a batch normalization")
    constants = context.array(scale, "scale"), context.array(offset, "offset")
    return context.emit(ChannelAffine(1), x, *constants)


@lowers("_native_batch_norm_legit_no_training.default")
def native_batch_norm(
    context: Context,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value,
    running_var: Value,
    momentum: float,
    eps: float,
) -> tuple:
    # _native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias,
    #   Tensor running_mean, Tensor running_var, float momentum, float eps)
    #   -> (Tensor, Tensor, Tensor)
    y = batch_norm(context, x, weight, bias, running_mean, running_var, False, momentum, eps)
    saved = Unavailable("the statistics of a batch normalization")
    return y, saved, saved


@lowers("softmax.int", "_softmax.default")
def softmax(context: Context, x: Value, dim: int, dtype: object = None) -> Tensor:
    # softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor
    # _softmax(Tensor self, int dim, bool half_to_float) -> Tensor
    x = context.activation(x)
    if dtype not in (None, False, torch.float32):
        raise context.refusal(f"a softmax in {dtype}")
    rank = len(x.shape)
    axis = axis_of(dim, rank)
    if axis == rank - 1:
        return context.emit(Softmax(), x)
    perm = list(range(rank))
    perm[axis], perm[-1] = perm[-1], perm[axis]
    swap = Transpose(tuple(perm))
    return context.emit(swap, context.emit(Softmax(), context.emit(swap, x)))


@lowers("log_softmax.int", "_log_softmax.default")
def log_softmax(context: Context, x: Value, dim: int, dtype: object = None) -> Tensor:
    # log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor
    # _log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor
    x = context.activation(x)
    if dtype not in (None, False, torch.float32):
        raise context.refusal(f"a log_softmax in {dtype}")
    axes = (axis_of(dim, len(x.shape)),)
    # log(softmax(x)) would be -inf where softmax underflows.
    shifted = context.emit(Binary("sub"), x, context.emit(Reduce("max", axes, keepdims=True), x))
    total = context.emit(Reduce("sum", axes, True), context.emit(Unary("exp"), shifted))
    return context.emit(Binary("sub"), shifted, context.emit(Unary("log"), total))
