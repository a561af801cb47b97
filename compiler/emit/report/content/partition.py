"""What happens inside a layer of the component: its loops over time, and the stages in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scanlet.graph.operators import LayerOperator
from scanlet.graph.operators.mamba2 import Mamba2
from scanlet.graph.operators.streaming import StreamHistory, StreamOperator

PRE, POST = "Pre-SSM, for each time tile", "Post-SSM, for each time tile"
ONCE = "once a sequence"


def partition(op: LayerOperator) -> list[dict[str, Any]]:
    """The loops from first to last: {"loop", "steps"}; a stage is named where it is present."""
    if isinstance(op, StreamOperator):
        history = isinstance(op, StreamHistory)
        return [_loop("once a chunk", ["carry the last steps" if history else "pool the stream"])]
    if isinstance(op, Mamba2):
        return _mamba2(op)
    if "in_proj_weight" not in op.weights:
        return [_loop("for each time tile", ["load the tile", "recurrence", "store the tile"])]
    return _mamba(op)


def _mamba(op: LayerOperator) -> list[dict[str, Any]]:
    norm, pooling = getattr(op, "norm", None), getattr(op, "pooling", None)
    before = ["load the tile"]
    before += ["input Linear"] if "input_weight" in op.weights else []
    before += [f"{norm} norm"] if norm else []
    before += ["in_proj, x half", "causal conv, SiLU", "x_proj"]
    before += ["norms of dt, B, C"] if getattr(op, "inner_norm", None) else []
    inside = ["dt_proj, softplus", "recurrence, step by step", "in_proj, z half; gate"]
    out = ["out_proj", *(["residual"] if getattr(op, "residual", False) else [])]
    loops = [_loop(PRE, before), _loop("SSM, a few channels at a time", inside)]
    if pooling:
        return [*loops, _loop(POST, [f"{pooling} over time"]), _loop(ONCE, out)]
    return [*loops, _loop(POST, [*out, "store the tile"])]


def _mamba2(op: Mamba2) -> list[dict[str, Any]]:
    norm = [f"norm in {op.norm_groups} group{'s' if op.norm_groups > 1 else ''}"]
    norm = norm if op.norm_groups else []
    gate = ["in_proj, z rows; gate"]
    return [
        _loop(PRE, ["load the tile", "in_proj: x, B, C, dt", "causal conv, SiLU", "softplus"]),
        _loop("SSM, group by group", ["recurrence, step by step"]),
        _loop(
            POST,
            [
                *(norm + gate if op.norm_before_gate else gate + norm),
                "out_proj",
                "store the tile",
            ],
        ),
    ]


def _loop(name: str, steps: Sequence[str]) -> dict[str, Any]:
    return {"loop": name, "steps": list(steps)}
