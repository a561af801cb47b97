"""Files that are whole or not there: synced to the disk, moved into place, held by one process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from scanlet.errors import EmitError, InputError

#: How long another process is waited for: it holds a project while it writes, well under a second.
WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.02
#: File systems without locks (some network ones): processes are not kept apart there.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
#: Of a folder that cannot be synced: some file systems have nothing to sync there.
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file, and folders above it, to the disk; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held(path: Path, busy: Callable[[], Exception], wait: float = WAIT_SECONDS) -> Iterator[int]:
    """Hold the file `path` against every other process for the block; gives its descriptor.

    It is made if there is none; who holds it may move it away or remove it. A process that dies
    lets go of it. Raises what `busy` returns if another holds it for `wait` seconds.
    """
    deadline = time.monotonic() + wait
    while True:
        descriptor = _locked(path)
        if descriptor is not None:
            break
        if time.monotonic() > deadline:
            raise busy()
        time.sleep(_POLL_SECONDS)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int | None:
    """The open and locked file, or None if another process holds it or has just removed it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        if _names(path, descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _names(path: Path, descriptor: int) -> bool:
    """Whether the path still is that of the open file."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def write_file(path: Path, content: bytes) -> None:
    """Replace one file of the user's choice, whole or not at all.

    Links are followed; what is no regular file (a terminal, a pipe) is written to as it is. Raises
    InputError naming the path and the reason; the file is then as it was before.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(content)
            return
        _replace_file(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise InputError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            hint="check the folder, its permissions and free space",
        ) from error


def _replace_file(path: Path, content: bytes) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    new = path.with_name(f".{path.name}.scanlet-new")
    busy = EmitError("another process is writing this file", where=str(path), hint="try again")
    with held(new, lambda: busy) as descriptor:
        try:
            os.ftruncate(descriptor, 0)  # what a killed process left
            _write_all(descriptor, content)
            if path.exists():
                os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
            os.fsync(descriptor)
            os.replace(new, path)
        except BaseException:
            with contextlib.suppress(OSError):
                new.unlink()
            raise
        with contextlib.suppress(OSError):  # it is in place already
            sync_folder(path.parent)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
