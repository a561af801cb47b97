"""Pooling windows along time; torch's layout is (1, channels, L), the graph's time-major."""

from __future__ import annotations

from collections.abc import Sequence

from scanlet.frontend.lowering.context import Context, Unavailable, Value
from scanlet.frontend.lowering.convolution import TO_TIME_MAJOR
from scanlet.frontend.lowering.reduction import reduce
from scanlet.frontend.lowering.registry import lowers
from scanlet.frontend.lowering.shape import reshaped
from scanlet.graph import Tensor
from scanlet.graph.operators import Pool1d

Ints = Sequence[int] | int


def _pool(
    context: Context, kind: str, x: Value, kernel: Ints, stride: Ints, padding: Ints, ceil: bool
) -> Tensor:
    x = context.activation(x)
    if len(x.shape) != 3:
        raise context.refusal(f"pooling over shape {x.shape}, expected (1, channels, L)")
    size = _one(kernel)
    step = _one(stride) or size
    if _one(padding):
        raise context.refusal("pooling with padding", hint="use padding=0")
    if ceil and (x.shape[2] - size) % step:
        raise context.refusal("pooling with a partial last window", hint="use ceil_mode=False")
    pooled = context.emit(Pool1d(kind, size, step), context.emit(TO_TIME_MAJOR, x))
    return context.emit(TO_TIME_MAJOR, pooled)


def _one(value: Ints) -> int:
    """The one number of a one-dimensional argument; 0 where it was left empty."""
    if isinstance(value, int):
        return value
    return int(value[-1]) if len(value) else 0


@lowers("avg_pool1d.default")
def avg_pool1d(
    context: Context,
    x: Value,
    kernel_size: Ints,
    stride: Ints = (),
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    # avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0,
    #   bool ceil_mode=False, bool count_include_pad=True) -> Tensor
    del count_include_pad  # nothing is padded
    return _pool(context, "mean", x, kernel_size, stride, padding, ceil_mode)


@lowers("max_pool1d.default")
def max_pool1d(
    context: Context,
    x: Value,
    kernel_size: Ints,
    stride: Ints = (),
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> Tensor:
    # max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0,
    #   int[1] dilation=1, bool ceil_mode=False) -> Tensor
    if _one(dilation) != 1:
        raise context.refusal("max pooling with dilation")
    return _pool(context, "max", x, kernel_size, stride, padding, ceil_mode)


@lowers("max_pool1d_with_indices.default")
def max_pool1d_with_indices(
    context: Context,
    x: Value,
    kernel_size: Ints,
    stride: Ints = (),
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> tuple:
    # max_pool1d_with_indices(...) -> (Tensor, Tensor)
    y = max_pool1d(context, x, kernel_size, stride, padding, dilation, ceil_mode)
    return y, Unavailable("the index of a maximum")


@lowers("avg_pool2d.default")
def avg_pool2d(
    context: Context,
    x: Value,
    kernel_size: Ints,
    stride: Ints = (),
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    # avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0,
    #   bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor
    del count_include_pad
    if divisor_override is not None:
        raise context.refusal("average pooling with a divisor of its own")
    return _pool_row(context, "mean", x, kernel_size, stride, padding, ceil_mode)


@lowers("max_pool2d_with_indices.default")
def max_pool2d_with_indices(
    context: Context,
    x: Value,
    kernel_size: Ints,
    stride: Ints = (),
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> tuple:
    # max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0,
    #   int[2] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)
    if _one(dilation) != 1:
        raise context.refusal("max pooling with dilation")
    y = _pool_row(context, "max", x, kernel_size, stride, padding, ceil_mode)
    return y, Unavailable("the index of a maximum")


def _pool_row(
    context: Context, kind: str, x: Value, kernel: Ints, stride: Ints, padding: Ints, ceil: bool
) -> Tensor:
    """A 2-D pooling that is what a decomposition made of a 1-D one: over (1, C, 1, L)."""
    x = context.activation(x)
    if len(x.shape) != 4 or x.shape[2] != 1 or isinstance(kernel, int) or kernel[0] != 1:
        raise context.refusal("two-dimensional pooling", hint="pool along time alone")
    row = reshaped(context, x, (x.shape[0], x.shape[1], x.shape[3]))
    y = _pool(context, kind, row, kernel, stride, padding, ceil)
    return reshaped(context, y, (*y.shape[:2], 1, y.shape[2]))


@lowers("adaptive_avg_pool1d.default")
def adaptive_avg_pool1d(context: Context, x: Value, output_size: Ints) -> Tensor:
    # adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor
    return _adaptive(context, "mean", x, _one(output_size))


@lowers("adaptive_max_pool1d.default")
def adaptive_max_pool1d(context: Context, x: Value, output_size: Ints) -> tuple:
    # adaptive_max_pool1d(Tensor self, int[1] output_size) -> (Tensor, Tensor)
    y = _adaptive(context, "max", x, _one(output_size))
    return y, Unavailable("the index of a maximum")


def _adaptive(context: Context, kind: str, x: Value, size: int) -> Tensor:
    x = context.activation(x)
    length = x.shape[-1]
    if size == 1:
        return reduce(context, kind, x, -1, True)
    if size == length:
        return x
    if length % size:
        raise context.refusal(
            f"adaptive pooling of {length} steps to {size}: the windows differ in length",
            hint="choose an output size that divides the length",
        )
    return _pool(context, kind, x, length // size, length // size, 0, False)
