"""Emulated cores, one family a file; `find` resolves a name."""

from __future__ import annotations

from scanlet.errors import TargetError
from scanlet.execution.emulation.cores import arm, riscv, xtensa
from scanlet.execution.emulation.cores.base import Core

#: The cores that every benchmark goes through.
ALL: dict[str, Core] = {core.name: core for family in (arm, xtensa, riscv) for core in family.CORES}

_VARIANTS = {arm.CORTEX_M55_GCC.name: arm.CORTEX_M55_GCC}


def find(core: str | Core) -> Core:
    """The core of that name (a Core passes through). Raises TargetError if there is none."""
    if isinstance(core, Core):
        return core
    known = {**ALL, **_VARIANTS}
    if core not in known:
        raise TargetError(f"no emulated core {core!r}", hint=f"choose one of {', '.join(ALL)}")
    return known[core]


__all__ = ["ALL", "Core", "find"]
