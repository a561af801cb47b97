"""Kind: Mamba-2 (Dao and Gu 2024, arXiv:2405.21060): A_log and dt_bias with one value a head."""

from __future__ import annotations

from collections.abc import Collection

from scanlet.checkpoints.checkpoint import Blank, Checkpoint
from scanlet.errors import UnsupportedModelError


def recognise(names: Collection[str]) -> bool:
    ends = {name.rpartition(".")[2] for name in names}
    return ends >= {"A_log", "dt_bias"} and not any(n.endswith("dt_proj.weight") for n in names)


def build(checkpoint: Checkpoint) -> Blank:
    heads = next(t.shape[0] for n, t in checkpoint.tensors.items() if n.endswith("A_log"))
    raise UnsupportedModelError(
        f"recognised a Mamba-2 checkpoint ({heads} heads), which cannot be loaded yet",
        where=checkpoint.where,
        hint="Mamba-1 checkpoints of mamba_ssm, Hugging Face and mambapy can be loaded",
    )
