"""Targets, one family a file; `find` resolves a name."""

from __future__ import annotations

import difflib

from scanlet.errors import TargetError
from scanlet.targets import cores, esp, generic, stm32
from scanlet.targets.base import Memory, Target

ALL: dict[str, Target] = {
    target.name: target for family in (esp, stm32, generic, cores) for target in family.TARGETS
}


#: The bare cores that the emulator runs.
CORES: tuple[str, ...] = tuple(target.name for target in cores.TARGETS)


def find(target: str | Target) -> Target:
    """The target of that name (a Target passes through). Raises TargetError if unknown."""
    if isinstance(target, Target):
        return target
    if target in ALL:
        return ALL[target]
    close = difflib.get_close_matches(str(target), ALL, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    raise TargetError(
        f"unknown target {target!r}{guess}",
        hint=f"choose one of {', '.join(ALL)} (`scanlet targets` describes them)",
    )


__all__ = ["ALL", "CORES", "Memory", "Target", "find"]
