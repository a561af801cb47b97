"""The cores that emulation tests run on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scanlet.execution.emulation import CORES

# The random integer mixers are those of the operator's own tests.
sys.path.append(str(Path(__file__).parents[1] / "tflm_ops"))


@pytest.fixture(params=list(CORES))
def core(request: pytest.FixtureRequest) -> str:
    """Each emulated core in turn."""
    name: str = request.param
    return name
