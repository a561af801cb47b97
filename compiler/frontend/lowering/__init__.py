"""ATen operators to graph operators, one family a file; handlers register by overload name."""

from scanlet.frontend.lowering import (
    activation,
    arithmetic,
    convolution,
    diagonal,
    indexing,
    linear,
    mamba2,
    mixer,
    normalization,
    pooling,
    reduction,
    scan,
    shape,
    transparent,
)
from scanlet.frontend.lowering.lower import lower

__all__ = [
    "activation",
    "arithmetic",
    "convolution",
    "diagonal",
    "indexing",
    "linear",
    "lower",
    "mamba2",
    "mixer",
    "normalization",
    "pooling",
    "reduction",
    "scan",
    "shape",
    "transparent",
]
