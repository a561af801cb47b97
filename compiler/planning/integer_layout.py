"""How the integer kernels of a kernel set want activations and weights to lie in memory.

The same facts stand in tflm_ops/kernels/int_layout.h, for people who read the C.
"""

from __future__ import annotations

from dataclasses import dataclass

OCTET = 8


@dataclass(frozen=True)
class IntegerLayout:
    """Literals of the generated C, and the order of packed weights.

    Activation tiles of T steps are `rows`, (T, depth) with each step's vector contiguous and
    depth padded to a multiple of `depth_multiple`, or columns, (depth, T). Weights are then
    (outputs, depth), else (blocks, depth, lanes). Outputs are padded to whole `lanes`. `octets`
    are in between: activations (depth / 8, T, 8), weights (outputs / 2, depth / 8, 2, 8).
    """

    name: str  # its define in C
    code: int  # in the parameter block; never reused for another layout
    rows: bool
    lanes: int  # outputs that a product computes side by side
    depth_multiple: int = 1
    swapped: bool = False  # the middle two of each four int8 weights of an output
    separate: int = 0  # B ahead of C in each step, padded to a multiple of it, instead of pairs
    quads: bool = False  # an input tile of four steps that only products read: see int_quads.h
    octets: bool = False  # eight neighbours of a vector, then the same eight of the next step
    state_multiple: int = 1  # to which a channel's state and rates are padded with zeros

    def depth(self, count: int) -> int:
        """Elements of an activation vector of `count`, with its padding."""
        return _round_up(count, self.depth_multiple)

    def outputs(self, count: int) -> int:
        """Rows of a product with `count` outputs, with their padding."""
        return _round_up(count, self.lanes)

    def strides(self, count: int, tile: int) -> tuple[int, int]:
        """Elements from feature to feature and from step to step of a tile."""
        if self.octets:  # from octet to octet, in octets, and from step to step
            return (tile, OCTET)
        return (1, self.depth(count)) if self.rows else (tile, 1)

    def history_strides(self, channels: int, kept: int) -> tuple[int, int]:
        """The same for the convolution's `kept` last inputs."""
        return (1, self.depth(channels)) if self.rows or self.octets else (kept, 1)

    def tap_strides(self, channels: int, d_conv: int) -> tuple[int, int]:
        """Elements from channel to channel and from tap to tap of the convolution's weights."""
        return (1, self.depth(channels)) if self.octets else (d_conv, 1)

    def states(self, d_state: int) -> int:
        """Elements that B takes in each step, and C."""
        return _round_up(d_state, self.separate) if self.separate else d_state

    def kept_states(self, d_state: int) -> int:
        """Elements that the int16 state of a channel takes, and its rates."""
        return _round_up(d_state, self.state_multiple)


COLUMNS = IntegerLayout("SCANLET_COLUMNS", 1, rows=False, lanes=4)
ROWS_PAIRS = IntegerLayout(
    "SCANLET_ROWS_PAIRS", 2, rows=True, lanes=4, depth_multiple=4, swapped=True
)
#: For a vector unit that loads 16 bytes at a time from aligned addresses (the ESP32-S3's PIE):
#: rows of weights are whole vectors of 16 int8, rows of activations of 16 int16, zero point zero.
#: MAC16's kernels read it as well, four at a time in their order.
ROWS_WIDE = IntegerLayout(
    "SCANLET_ROWS_PAIRS", 5, rows=True, lanes=4, depth_multiple=16, swapped=True
)
OCTETS = IntegerLayout(
    "SCANLET_OCTETS", 3, rows=False, lanes=8, depth_multiple=8, separate=8, octets=True
)
ROWS_DSP = IntegerLayout(
    "SCANLET_ROWS_DSP",
    4,
    rows=True,
    lanes=4,
    depth_multiple=4,
    swapped=True,
    separate=2,
    quads=True,
    state_multiple=2,
)

LAYOUTS: dict[str, IntegerLayout] = {
    "portable": COLUMNS,
    "xtensa": ROWS_PAIRS,
    "xtensa_s3": ROWS_WIDE,
    "arm_dsp": ROWS_DSP,
    "arm_mve": OCTETS,
}


def _round_up(count: int, multiple: int) -> int:
    return (count + multiple - 1) // multiple * multiple
