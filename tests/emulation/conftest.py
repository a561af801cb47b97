"""The cores that emulation tests run on."""

from __future__ import annotations

import pytest

from scanlet.execution.emulation import CORES


@pytest.fixture(params=list(CORES))
def core(request: pytest.FixtureRequest) -> str:
    """Each emulated core in turn."""
    name: str = request.param
    return name
