"""Kinds that are known and refused, so that nobody has to guess why."""

from __future__ import annotations

from collections.abc import Collection

from scanlet.checkpoints.checkpoint import Blank, Checkpoint
from scanlet.errors import UnsupportedModelError

#: Endings of names that tell a relative -> what it is; the first that fits counts.
TELLING = {
    "A_b_log": "a Vision Mamba checkpoint (a second, backward set of parameters)",
    "A_logs": "a VMamba checkpoint (SS2D: stacked scans in four directions over an image)",
    "B_bias": "a Mamba-3 checkpoint (biases on B and C, rotated state, no convolution)",
    "self_attn.q_proj.weight": "a hybrid of Mamba and attention, such as Jamba or Zamba",
    "self_attn.k_proj.weight": "a transformer",
}


def recognise(names: Collection[str]) -> bool:
    return _relative(names) is not None


def build(checkpoint: Checkpoint) -> Blank:
    raise UnsupportedModelError(
        f"recognised {_relative(checkpoint.tensors)}, which cannot be loaded",
        where=checkpoint.where,
        hint="build the model in its own code and hand the module to scanlet.compile",
    )


def _relative(names: Collection[str]) -> str | None:
    for ending, what in TELLING.items():
        if any(name == ending or name.endswith(f".{ending}") for name in names):
            return what
    return None
