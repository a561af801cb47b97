"""Put a checkpoint's weights into the module that was made for them, with nothing left over."""

from __future__ import annotations

from collections.abc import Iterable

from scanlet.checkpoints.checkpoint import Blank, Checkpoint
from scanlet.errors import ModelFileError

SHOWN = 5


def fill(blank: Blank, checkpoint: Checkpoint) -> None:
    """Load the weights, strictly.

    Raises ModelFileError listing names that are missing or left over, and shapes that do not fit.
    """
    wanted = {name: blank.names.get(name, name) for name in blank.module.state_dict()}
    missing = [name for name in wanted.values() if name not in checkpoint.tensors]
    extra = sorted(set(checkpoint.tensors) - set(wanted.values()) - blank.unused)
    if missing or extra:
        parts = [f"missing: {shown(missing)}"] if missing else []
        parts += [f"not expected: {shown(extra)}"] if extra else []
        raise ModelFileError(
            f"recognised {blank.kind}, but the names do not fit; {'; '.join(parts)}",
            where=checkpoint.where,
            hint="the checkpoint is incomplete, or of a variant that is not supported; load it in "
            "its own code and hand the module to scanlet.compile",
        )
    empty = blank.module.state_dict()
    for name, stored in wanted.items():
        found, expected = tuple(checkpoint.tensors[stored].shape), tuple(empty[name].shape)
        if found != expected:
            raise ModelFileError(
                f"recognised {blank.kind}, but {stored} has shape {found}, the other weights "
                f"need {expected}",
                where=checkpoint.where,
            )
    weights = {name: checkpoint.tensors[stored] for name, stored in wanted.items()}
    blank.module.load_state_dict(weights, strict=True, assign=True)
    blank.module.requires_grad_(True)


def shown(names: Iterable[str]) -> str:
    """The first few names, and how many there are more."""
    listed = list(names)
    more = f", and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
