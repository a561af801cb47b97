"""Small integer models, and the programs that serve them on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import scanlet
from examples.benchmark.serial_link import build_server, compile_served


@dataclass(frozen=True)
class Served:
    """A model, its project of target generic, and the program of it that serves."""

    compiled: scanlet.Compiled
    folder: Path
    program: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"


def serve(mode: str, folder: Path) -> Served:
    compiled = compile_served(mode)
    return Served(compiled, folder, build_server(compiled, folder))
