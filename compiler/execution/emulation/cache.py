"""Builds kept by content: a key made of everything that went in, a file that came out."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from scanlet.execution.scratch import scratch_directory


def key_of(parts: Iterable[str | bytes]) -> str:
    """Hash of the parts; their boundaries count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:32]


def cached(key: str, suffix: str, build: Callable[[Path], None]) -> Path:
    """The file kept for `key`; `build` is called to write it to a path if there is none.

    Safe with several processes and threads: each writes a file of its own and renames it.
    """
    folder = _directory()
    path = folder / (key + suffix)
    if path.exists():
        return path
    with scratch_directory("build-", folder) as scratch:
        made = scratch / ("built" + suffix)
        build(made)
        os.replace(made, path)
    return path


def _directory() -> Path:
    """$XDG_CACHE_HOME/scanlet/emulation or ~/.cache/...; where that fails, a private one."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # The specification ignores relative paths; there may be no home directory.
        home = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
        folder = home / "scanlet" / "emulation"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):
        pass
    return _private_directory()


_private: list[tempfile.TemporaryDirectory[str]] = []
_private_lock = threading.Lock()  # sources are compiled by several threads


def _private_directory() -> Path:
    """A directory that lives as long as the process."""
    with _private_lock:
        if not _private:
            _private.append(tempfile.TemporaryDirectory(prefix="scanlet-emulation-"))
        return Path(_private[0].name)
