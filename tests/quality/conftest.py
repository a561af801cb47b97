"""What the quality tests share: the checkout and its source files."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
GENERATED = {".git", ".venv", "build", "dist", "node_modules", "__pycache__"}


@pytest.fixture(scope="session")
def checkout() -> Path:
    return CHECKOUT


@pytest.fixture(scope="session")
def source_files() -> list[Path]:
    """Every file a person wrote: not what tools and builds leave in the checkout."""
    files = []
    for path in CHECKOUT.rglob("*"):
        parts = path.relative_to(CHECKOUT).parts
        if any(p in GENERATED or p.endswith((".egg-info", "_cache")) for p in parts):
            continue
        if path.is_file() and ".hypothesis" not in parts:
            files.append(path)
    assert len(files) > 50, "the search for source files is broken"
    return files
