"""One-dimensional convolutions; the graph's are time-major, so they stand between transposes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scanlet.frontend.lowering.context import Context, Value
from scanlet.frontend.lowering.registry import lowers
from scanlet.graph import Tensor
from scanlet.graph.operators import Conv1d, Transpose

TO_TIME_MAJOR = Transpose((0, 2, 1))


@lowers("conv1d.default", "conv1d.padding")
def conv1d(
    context: Context,
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Sequence[int] | int = 1,
    padding: Sequence[int] | int | str = 0,
    dilation: Sequence[int] | int = 1,
    groups: int = 1,
) -> Tensor:
    # conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1,
    #   SymInt[1] padding=0, SymInt[1] dilation=1, SymInt groups=1) -> Tensor
    # conv1d.padding(..., str padding="valid", ...) -> Tensor
    x = context.activation(x)
    if not isinstance(weight, torch.Tensor) or not isinstance(bias, (torch.Tensor, type(None))):
        raise context.refusal("the weight of a convolution is computed by the model")
    if len(x.shape) != 3:
        raise context.refusal(f"a convolution over shape {x.shape}, expected (1, channels, L)")
    channels = x.shape[1]
    if groups not in (1, channels):
        raise context.refusal(
            f"a convolution of {groups} groups over {channels} channels",
            hint="use groups=1, or groups=in_channels (depthwise)",
        )
    step, spread = _one(stride), _one(dilation)
    op = Conv1d(step, _padding(padding, spread * (weight.shape[2] - 1)), spread, groups)
    taps_first = weight.detach().double().permute(0, 2, 1).contiguous()
    path = context.path_of(weight)
    if path is not None:
        context.learn_path(taps_first, path)
    inputs = [context.emit(TO_TIME_MAJOR, x), taps_first]
    return context.emit(TO_TIME_MAJOR, context.emit(op, *inputs, *([] if bias is None else [bias])))


@lowers("convolution.default")
def convolution(
    context: Context,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    # convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding,
    #   SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups) -> Tensor
    if transposed or any(output_padding):
        raise context.refusal("a transposed convolution")
    if len(weight.shape) != 3:
        raise context.refusal(
            f"a {len(weight.shape) - 2}-dimensional convolution",
            hint="only one-dimensional convolutions are supported",
        )
    return conv1d(context, x, weight, bias, stride, padding, dilation, groups)


def _one(value: Sequence[int] | int) -> int:
    return int(value if isinstance(value, int) else value[0])


def _padding(padding: Sequence[int] | int | str, span: int) -> tuple[int, int]:
    """(left, right) zeros; torch's "same" puts the odd one on the right."""
    if padding == "valid":
        return (0, 0)
    if padding == "same":
        return (span // 2, span - span // 2)
    assert not isinstance(padding, str)
    return (_one(padding), _one(padding))
