"""What every operator of the graph can do: infer its output shape and state its NumPy meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

Shape = tuple[int, ...]

#: What an operator carries from call to call, by name; empty at the start of a stream.
Carried = dict[str, Any]


@dataclass(frozen=True)
class Operator:
    """Base class. Operators are immutable values; tensors live on the node.

    Every operator has exactly one output. `evaluate` computes in the dtype of its inputs, so the
    same definition serves float64 references and float32 comparisons.
    """

    def infer_shape(self, *shapes: Shape) -> Shape:
        raise NotImplementedError(type(self).__name__)

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        raise NotImplementedError(type(self).__name__)

    def advance(self, carried: Carried, *arrays: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """As `evaluate`, for the next chunk of a stream; operators without a memory ignore it."""
        return self.evaluate(*arrays)


class LayerOperator(Operator):
    """An operator that the generated component runs, in C of its own, over time tiles.

    Its node's inputs are x (1, L, in_features) and the constant weights that `weights` names;
    its output is (1, L, d_out), or (1, d_out) where time is `pooled`. Subclasses are frozen
    dataclasses with the fields below; how they are planned, packed and written is in the tables
    of `planning.kinds` and `emit.kinds`.
    """

    weights: tuple[str, ...]
    #: "sequence": zero state at the start of each call; "stream": carried from call to call.
    mode: str

    #: Fields that are sizes, and fields that are choices: reports show them under these names.
    SIZES: ClassVar[tuple[str, ...]] = ()
    OPTIONS: ClassVar[tuple[str, ...]] = ()

    @property
    def pooled(self) -> bool:
        """Whether the output has no time axis."""
        return bool(getattr(self, "pooling", None))

    @property
    def state_count(self) -> int:
        """State variables that a step updates, for the cost model."""
        raise NotImplementedError(type(self).__name__)

    @property
    def channel_count(self) -> int:
        """Channels that have a state, for the cost model."""
        raise NotImplementedError(type(self).__name__)

    def multiplies(self, weights: dict[str, Shape]) -> tuple[int, int]:
        """Multiply-accumulates with `weights` (shapes by name): in each step, once a sequence."""
        raise NotImplementedError(type(self).__name__)

    def named(self, inputs: Sequence) -> dict:
        """Pair `inputs` (all of the node's: tensors or arrays) with the weights' names."""
        return dict(zip(self.weights, inputs[1:], strict=True))

    def fused(self) -> tuple[str, ...]:
        """What the operator does beside its own function, in words."""
        return ()

    def run(
        self,
        x: np.ndarray,
        w: dict[str, np.ndarray],
        observe: Any = None,
        carried: Carried | None = None,
    ) -> np.ndarray:
        """The output for x (B, L, in_features), any B, and the weights by name.

        `observe(name, array)` is told of values inside, where an operator has some to tell of;
        `carried` takes the state from call to call: empty at first, written by each.
        """
        raise NotImplementedError(type(self).__name__)

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        """From zero state."""
        return self.run(arrays[0], self.named(arrays))

    def advance(self, carried: Carried, *arrays: np.ndarray) -> np.ndarray:
        """The next chunk; `carried` is taken up in stream mode only."""
        own = carried if self.mode == "stream" else None
        return self.run(arrays[0], self.named(arrays), None, own)
