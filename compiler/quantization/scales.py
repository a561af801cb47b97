"""Which quantization each tensor of the integer part has.

Operators that only move or compare stored values need the same scale on both sides: their tensors
form a group, whose range is the hull of its members'. Softmax, sigmoid and tanh have a fixed
output; where a group cannot take it over, the result is rescaled behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from scanlet.graph import Graph, Node, Quantization, Tensor
from scanlet.graph.operators import (
    Binary,
    Concatenate,
    Conv1d,
    Gather,
    Linear,
    Pad,
    Pool1d,
    Reduce,
    Reshape,
    Softmax,
    StreamHistory,
    StreamPool,
    StridedSlice,
    Transpose,
    Unary,
)
from scanlet.quantization.integer_support import is_real
from scanlet.quantization.parameters import FIXED_OUTPUTS, for_range, span

Range = tuple[float, float]

SAME_SCALE = (Reshape, Transpose, StridedSlice, Concatenate, Pad, Pool1d, StreamHistory)
#: How far beyond the calibrated range an activation reaches. One of 15 bits is cheap, and scores
#: larger than calibration has seen do not all end at the same limit, where labels are lost.
HEADROOM = {"int8": 1.0, "int16": 2.0}
#: Rounds in which lower bounds of scales spread; they only grow, and hardly ever apply.
ROUNDS = 4
#: Largest factor by which a kernel may multiply a sum, or a single value.
SUM_GAIN, VALUE_GAIN = 64.0, 1024.0
#: Fractional bits that ADD and SUB work with (TFLite's left_shift), less one to stay below 1.
ADD_BITS = {"int8": 19, "int16": 14}


def keeps_scale(node: Node, dtype: str) -> bool:
    """Whether the kernel copies stored values from its inputs to its output."""
    op = node.op
    if isinstance(op, Gather):
        return dtype == "int8"
    return (
        isinstance(op, SAME_SCALE)
        or (isinstance(op, Binary) and op.kind in ("maximum", "minimum"))
        or (isinstance(op, Unary) and op.kind == "relu6")
        or (isinstance(op, Reduce) and op.kind in ("max", "min"))
    )


def fixed_output(node: Node, dtype: str) -> Quantization | None:
    """The quantization that the kernel insists on for its output."""
    if isinstance(node.op, Softmax):
        return FIXED_OUTPUTS["softmax", dtype]
    if isinstance(node.op, Unary):
        return FIXED_OUTPUTS.get((node.op.kind, dtype))
    return None


class Scales:
    """Quantization by tensor. `range_of` gives the range of an activation."""

    def __init__(
        self,
        graph: Graph,
        floats: Collection[int],
        dtype: str,
        range_of: Callable[[Tensor], Range],
    ) -> None:
        self.dtype = dtype
        self.nodes = [n for n in graph.nodes if is_real(n) and id(n) not in floats]
        self._parent: dict[int, int] = {}
        self._least: dict[int, float] = {}
        self._fixed: dict[int, Quantization] = {}
        self._ranges: dict[int, Range] = {}
        real = [
            *(tensor for tensor in graph.inputs if tensor.dtype == "float32"),
            *(node.output for node in graph.nodes if is_real(node)),
        ]
        for node in self.nodes:
            if keeps_scale(node, dtype):
                for tensor in self._values(node):
                    # What is read elsewhere, too, keeps its finer scale: it is rescaled instead.
                    shared = isinstance(node.op, Concatenate) and not graph.sole_consumer(tensor)
                    if tensor.data is not None or not shared:
                        self._join(tensor, node.output)
        for tensor in real:
            self._widen(tensor, range_of(tensor))
        for node in self.nodes:
            if keeps_scale(node, dtype):
                for tensor in self._values(node):
                    if tensor.data is not None:
                        data = np.asarray(tensor.data, np.float64)
                        self._widen(tensor, (float(data.min()), float(data.max())))
        self._fix()
        for _ in range(ROUNDS):
            for node in self.nodes:
                root = self._root(node.output)
                self._least[root] = max(self._least.get(root, 0.0), self._bound(node))

    def of(self, tensor: Tensor) -> Quantization:
        """The quantization of an activation's integer form, or of a constant in such a group."""
        root = self._root(tensor)
        if root in self._fixed:
            return self._fixed[root]
        low, high = (HEADROOM[self.dtype] * bound for bound in self._ranges[root])
        return for_range(low, high, self.dtype, least_scale=self._least.get(root, 0.0))

    def required(self, node: Node, tensor: Tensor) -> Quantization:
        """What the kernel of `node` wants to read an input in."""
        return self.of(node.output) if keeps_scale(node, self.dtype) else self.operand(tensor)

    def operand(self, tensor: Tensor) -> Quantization:
        """As `of`; a constant outside of all groups gets a quantization of its own."""
        if tensor.data is None or id(tensor) in self._parent:
            return self.of(tensor)
        data = np.asarray(tensor.data, np.float64)
        return for_range(float(data.min()), float(data.max()), self.dtype)

    # -- groups --------------------------------------------------------------------------------
    def _root(self, tensor: Tensor) -> int:
        at = id(tensor)
        while self._parent.get(at, at) != at:
            at = self._parent[at]
        return at

    def _join(self, first: Tensor, second: Tensor) -> None:
        self._parent.setdefault(id(first), id(first))
        self._parent.setdefault(id(second), id(second))
        self._parent[self._root(first)] = self._root(second)

    def _widen(self, tensor: Tensor, by: Range) -> None:
        root = self._root(tensor)
        low, high = self._ranges.get(root, by)
        self._ranges[root] = (min(low, by[0]), max(high, by[1]))

    def _values(self, node: Node) -> list[Tensor]:
        """The inputs whose stored values go to the output (not a Gather's indices)."""
        return node.inputs[:1] if isinstance(node.op, Gather) else node.inputs

    def _fix(self) -> None:
        """Give groups the fixed quantization of a member, where all of it fits in."""
        for node in self.nodes:
            fixed, root = fixed_output(node, self.dtype), self._root(node.output)
            if fixed is None or root in self._fixed:
                continue
            least, largest = span(fixed, self.dtype)
            low, high = self._ranges[root]
            step = fixed.scales[0]
            if least - step <= low and high <= largest + step:
                self._fixed[root] = fixed

    # -- bounds --------------------------------------------------------------------------------
    def _bound(self, node: Node) -> float:
        """The least scale of the output with which the kernel's multipliers stay in range."""
        op = node.op
        match op:
            case Linear() | Conv1d():
                weight = np.abs(np.asarray(node.inputs[1].data, np.float64)).max(initial=0.0)
                return self._scale(node.inputs[0]) * float(weight) / (127 * SUM_GAIN)
            case Binary("add" | "sub"):
                return max(map(self._scale, node.inputs)) * 2 / (1 << ADD_BITS[self.dtype])
            case Binary("mul"):
                return self._scale(node.inputs[0]) * self._scale(node.inputs[1])
            case Reduce("sum"):
                return self._scale(node.inputs[0])
            case Unary() | Reduce() | StreamPool():
                return self._scale(node.inputs[0]) / VALUE_GAIN
        return 0.0

    def _scale(self, tensor: Tensor) -> float:
        return self.operand(tensor).scales[0]
