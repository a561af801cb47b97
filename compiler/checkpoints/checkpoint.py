"""What is known of a checkpoint while it is being loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from scanlet.checkpoints.config import Config


class CheckpointWarning(UserWarning):
    """Something about a checkpoint had to be assumed, or looks like a mistake."""


@dataclass
class Checkpoint:
    """Tensors by name (wrappers' prefixes removed), the config, and what there is to say.

    `notes` state what was found and done, `warnings` what was assumed and may be wrong.
    """

    where: str
    tensors: Mapping[str, Tensor]
    config: Config
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Blank:
    """A module without weights, and where they are: `names` maps the module's names to the
    checkpoint's; a module's parameter that is not in it has the same name in both.

    `kind` says in words what was recognised; `d_model` is the width of vectors that the module
    takes, None if it takes tokens; `unused` are names that hold nothing of their own.
    """

    kind: str
    module: nn.Module
    names: Mapping[str, str] = field(default_factory=dict)
    d_model: int | None = None
    unused: frozenset[str] = frozenset()
