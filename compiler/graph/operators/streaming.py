"""What carries something from chunk to chunk besides the mixers: a running mean, a delay line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scanlet.errors import GraphError
from scanlet.graph.operators.base import Carried, LayerOperator, Shape

#: Steps after which a running mean without a window of its own forgets: its sums stay within what
#: float32 and int32 hold, however long the stream is.
LONGEST_WINDOW = 1 << 24
LONGEST_INTEGER_WINDOW = (1 << 16) - 1


class StreamOperator(LayerOperator):
    """An operator without weights that carries something from call to call."""

    weights = ()
    mode = "stream"

    @property
    def state_count(self) -> int:
        return 0

    @property
    def channel_count(self) -> int:
        return 0

    def multiplies(self, weights: dict[str, Shape]) -> tuple[int, int]:  # noqa: ARG002
        """None."""
        return (0, 0)

    def evaluate(self, *arrays: np.ndarray) -> np.ndarray:
        """One chunk, from the start of a stream."""
        return self.advance({}, *arrays)

    def advance(self, carried: Carried, *arrays: np.ndarray) -> np.ndarray:
        """The next chunk of a stream."""
        raise NotImplementedError(type(self).__name__)


@dataclass(frozen=True)
class StreamPool(StreamOperator):
    """The mean over time since the stream's start, x (1, L, F) to y (1, F).

    With N = `window` (0: LONGEST_WINDOW), the sum S = 0 at the start, and t = 1, 2, ...:

        S = S + x_t - (S / N if t > N else 0);    m_t = S / min(t, N)

    so the first N steps give their mean, and from then on the mean is exponential with a time
    constant of N steps: m_t = m_{t-1} + (x_t - m_{t-1}) / N. y is m of the chunk's last step.
    """

    window: int = 0

    OPTIONS: ClassVar[tuple[str, ...]] = ("window",)

    @property
    def pooled(self) -> bool:
        return True

    @property
    def counted(self) -> int:
        """The window in steps."""
        return self.window or LONGEST_WINDOW

    def __post_init__(self) -> None:
        if not 0 <= self.window <= LONGEST_INTEGER_WINDOW:
            raise GraphError(f"a window of {self.window} steps")

    def infer_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != 3:
            raise GraphError(f"a running mean over shape {shapes[0]}, expected (1, L, F)")
        return (shapes[0][0], shapes[0][2])

    def advance(self, carried: Carried, *arrays: np.ndarray) -> np.ndarray:
        """The next chunk of a stream; a batch of streams may take the place of the leading 1."""
        return running_mean(arrays[0], self.counted, carried)


@dataclass(frozen=True)
class StreamHistory(StreamOperator):
    """The chunk with the stream's last `steps` steps ahead of it, x (1, L, F) to (1, steps + L, F).

    Ahead of the stream's start stands `zero_point`, of elements of the type `activation`.
    """

    steps: int
    activation: str = "float32"
    zero_point: int = 0

    OPTIONS: ClassVar[tuple[str, ...]] = ("steps",)

    def infer_shape(self, *shapes: Shape) -> Shape:
        batch, length, features = shapes[0]
        return (batch, self.steps + length, features)

    def advance(self, carried: Carried, *arrays: np.ndarray) -> np.ndarray:
        """The next chunk of a stream; a batch of streams may take the place of the leading 1."""
        x = arrays[0]
        nothing = np.full((x.shape[0], self.steps, x.shape[2]), self.zero_point, x.dtype)
        joined = np.concatenate([carried.get("history", nothing), x], axis=1)
        carried["history"] = joined[:, x.shape[1] :]
        return joined


def running_mean(x: np.ndarray, window: int, carried: Carried) -> np.ndarray:
    """`StreamPool`'s y (B, F) behind the chunk x (B, L, F), N being `window`."""
    total, count = carried.get("sum", np.zeros_like(x[:, 0])), carried.get("count", 0)
    for step in np.moveaxis(x, 1, 0):
        total = total + step - (total / window if count >= window else 0)
        count = min(count + 1, window)
    carried["sum"], carried["count"] = total, count
    return (total / count).astype(x.dtype)
