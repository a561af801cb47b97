"""One project that the terminal's tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import scanlet

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled project; its classes' names are not all ASCII."""
    from terminal_models import create

    folder = tmp_path_factory.mktemp("terminal") / "net"
    compiled = scanlet.compile(
        create().eval(), torch.zeros(1, 7, 4), labels=["straße", "µ"], name="net", progress=False
    )
    compiled.save(folder)
    return folder
