"""From the captured graph to a legal one: `run` applies the passes of `pipeline` in order."""

from scanlet.passes.cost import Multiplies, multiplies_per_sequence, multiplies_per_step
from scanlet.passes.explicit_padding import is_same_padding
from scanlet.passes.extents import Extent, extents
from scanlet.passes.fold_normalization import fold_normalization
from scanlet.passes.fuse_into_ssm import Fusion
from scanlet.passes.pipeline import run, stream_shape
from scanlet.passes.rechunk import rechunk
from scanlet.passes.stream_pooling import ExponentialMean, as_pooling
from scanlet.passes.streaming import Stream, StreamShape

__all__ = [
    "ExponentialMean",
    "Extent",
    "Fusion",
    "Multiplies",
    "Stream",
    "StreamShape",
    "as_pooling",
    "extents",
    "fold_normalization",
    "is_same_padding",
    "multiplies_per_sequence",
    "multiplies_per_step",
    "rechunk",
    "run",
    "stream_shape",
]
