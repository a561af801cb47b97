"""What the integer operator is derived from: extremes and moments of a float mixer's stages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanlet.errors import CalibrationError
from scanlet.graph import Node
from scanlet.graph.operators import SelectiveSSM

Range = tuple[float, float]
Moments = tuple[np.ndarray, np.ndarray]  # E[x x^T] (K, K), E[x] (K,)


@dataclass(frozen=True)
class MixerStatistics:
    """Over all samples and steps, float64; stages as in `SelectiveSSM.run`.

    Ranges are (lowest, highest), everything else is the largest magnitude. `moments` are those of
    the input of each product, by the weight's name; under a norm, in_proj's are those of the
    normalized vector ahead of the norm's own weight and bias.
    """

    r: Range  # behind an input Linear, else of x
    norm: float  # normalized, ahead of the norm's weight; 0 without a norm
    x: np.ndarray  # (d_inner,): the convolution's input
    z: np.ndarray  # (d_inner, 2): ranges
    conv: np.ndarray  # (d_inner, 2): ranges of SiLU's argument
    u: float
    dbc: np.ndarray  # (dt_rank + 2 d_state,)
    delta_argument: Range  # of softplus' argument
    delta: np.ndarray  # (d_inner,)
    du: np.ndarray  # (d_inner,): delta * u
    h: np.ndarray  # (d_inner, d_state)
    y: np.ndarray  # (d_inner,)
    g: np.ndarray  # (d_inner,): behind the gate
    pooled: np.ndarray | None  # (d_inner,)
    out: Range
    moments: dict[str, Moments]


class MomentSum:
    """Running sums of x and x x^T over vectors x (..., K)."""

    def __init__(self, width: int) -> None:
        self._second, self._first = np.zeros((width, width)), np.zeros(width)
        self._count = 0

    def update(self, vectors: np.ndarray) -> None:
        rows = vectors.reshape(-1, vectors.shape[-1]).astype(np.float64)
        self._second += rows.T @ rows
        self._first += rows.sum(axis=0)
        self._count += len(rows)

    def result(self) -> Moments:
        return self._second / self._count, self._first / self._count


class MixerCollector:
    """Watches the stages of one SELECTIVE_SSM node."""

    def __init__(self, node: Node) -> None:
        assert isinstance(node.op, SelectiveSSM)
        self.op = node.op
        self.name = node.source.module or node.output.name
        self._extremes: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._state: np.ndarray | None = None
        self._moments: dict[str, MomentSum] = {}
        # The product that reads each stage.
        self._readers = {
            "input": "input_weight",
            "normalized" if self.op.norm else "r": "in_proj_weight",
            "u": "x_proj_weight",
            "dbc": "dt_proj_weight",
            "pooled" if self.op.pooling else "g": "out_proj_weight",
        }

    def __call__(self, stage: str, values: np.ndarray) -> None:
        """An observer for `SelectiveSSM.run`."""
        if stage == "h":  # the extremes of all samples at once: once a step is often
            largest = np.maximum(values.max(axis=0), -values.min(axis=0))
            self._state = largest if self._state is None else np.maximum(self._state, largest)
            return
        axes = tuple(range(values.ndim - 1))
        low, high = values.min(axis=axes), values.max(axis=axes)
        self._check(stage, low, high)
        if stage in self._extremes:
            before = self._extremes[stage]
            low, high = np.minimum(before[0], low), np.maximum(before[1], high)
        self._extremes[stage] = (low, high)
        if stage in self._readers:
            inputs = values[..., : self.op.dt_rank] if stage == "dbc" else values
            reader = self._readers[stage]
            if reader not in self._moments:
                self._moments[reader] = MomentSum(inputs.shape[-1])
            self._moments[reader].update(inputs)

    def zero_stages(self) -> list[str]:
        """The stages that never were anything but zero."""
        zero = [stage for stage in self._extremes if not self._largest(stage).any()]
        return zero if self._state is None or self._state.any() else [*zero, "h"]

    def statistics(self, out: Range) -> MixerStatistics:
        """The result, `out` being the range of the node's output. Raises CalibrationError."""
        assert self._state is not None
        state = self._state.astype(np.float64)
        self._check("h", state, state)
        return MixerStatistics(
            r=self._whole("r"),
            norm=float(self._largest("normalized").max()) if self.op.norm else 0.0,
            x=self._largest("x"),
            z=self._ranges("z"),
            conv=self._ranges("conv"),
            u=float(self._largest("u").max()),
            dbc=self._largest("dbc"),
            delta_argument=self._whole("delta_argument"),
            delta=self._largest("delta"),
            du=self._largest("du"),
            h=state,
            y=self._largest("y"),
            g=self._largest("g"),
            pooled=self._largest("pooled") if self.op.pooling else None,
            out=out,
            moments={weight: total.result() for weight, total in self._moments.items()},
        )

    def _largest(self, stage: str) -> np.ndarray:
        low, high = self._extremes[stage]
        return np.maximum(-low, high).astype(np.float64)

    def _ranges(self, stage: str) -> np.ndarray:
        return np.stack(self._extremes[stage], axis=1).astype(np.float64)

    def _whole(self, stage: str) -> Range:
        low, high = self._extremes[stage]
        return float(low.min()), float(high.max())

    def _check(self, stage: str, low: np.ndarray, high: np.ndarray) -> None:
        # NaN and infinity survive min and max.
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise CalibrationError(
                f"the stage {stage!r} becomes NaN or infinite in the float model",
                where=f"mixer {self.name!r}",
                hint="look for samples of another scale than the training data",
            )
