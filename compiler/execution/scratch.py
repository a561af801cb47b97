"""Folders for what is built and run, gone afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scanlet.errors import ExecutionError


@contextmanager
def scratch_directory(prefix: str, within: Path | None = None) -> Iterator[Path]:
    """An empty folder, in the system's place for them or `within` another, for the block.

    Raises ExecutionError where the disk is full or the place cannot be written to.
    """
    try:
        with tempfile.TemporaryDirectory(
            prefix=prefix, dir=within, ignore_cleanup_errors=True
        ) as name:
            yield Path(name)
    except OSError as error:
        raise ExecutionError(
            f"cannot build in a temporary folder: {error.strerror or error}",
            where=str(within or os.environ.get("TMPDIR") or "the system's temporary folder"),
            hint="free some space, or point TMPDIR to a folder with more",
        ) from error
