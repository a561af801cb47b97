"""What the device tests share: two small models behind programs that serve them here."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from device_models import Served, serve

from examples.benchmark.serial_faults import Line
from examples.benchmark.serial_link import FEATURES, STEPS


@pytest.fixture(scope="session")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return serve("sequence", tmp_path_factory.mktemp("sequence"))


@pytest.fixture(scope="session")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return serve("stream", tmp_path_factory.mktemp("stream"))


@pytest.fixture
def line(sequence: Served) -> Iterator[Line]:
    with Line([sequence.program]) as opened:
        yield opened


@pytest.fixture(scope="session")
def samples() -> np.ndarray:
    values = np.random.default_rng(1).standard_normal((12, STEPS, FEATURES))
    return (2.0 * values).astype(np.float32)
