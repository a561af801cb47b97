"""What lies where in TFLM's tensor arena while the operators run one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scanlet.emit.model_description import ModelDescription
from scanlet.planning.layer import LayerPlan
from scanlet.planning.memory import place
from scanlet.planning.tflm_arena import head_buffers


def memory_schedule(model: ModelDescription, layers: Sequence[LayerPlan]) -> dict[str, Any]:
    """The arena's head over the schedule: step 0 is the input, operator i runs in step i + 1.

    `peak` is the step at which most bytes are alive; `head_bytes` may be more, by what placement
    leaves between buffers.
    """
    buffers = head_buffers(model, layers)
    placement = place(buffers)
    tensors = {tensor.name for tensor in model.tensors}
    steps = ["input", *(operator.name for operator in model.operators)]
    alive = [sum(b.nbytes for b in buffers if b.first <= i <= b.last) for i in range(len(steps))]
    peak = max(range(len(steps)), key=lambda step: (alive[step], -step))
    return {
        "steps": steps,
        "head_bytes": placement.nbytes,
        "alive_bytes": alive,
        "peak": {"step": peak, "operator": steps[peak], "bytes": alive[peak]},
        "buffers": [
            {
                "name": buffer.name,
                "kind": "tensor" if buffer.name in tensors else "scratch",
                "offset": offset,
                "bytes": buffer.nbytes,
                "first": buffer.first,
                "last": buffer.last,
            }
            for buffer, offset in zip(buffers, placement.offsets, strict=True)
        ],
    }
