"""Changing many files of a directory as one: all of them, or none.

Everything new is written to a folder beside what it will replace, and synced. A journal then says
what will be moved where; only then files are moved: what is there out of the way, what is new into
place. Taking the journal away makes the change final. Whoever finds a journal and gets hold of the
folder knows that the process died in between, and undoes what it did: to be done any number of
times, it may be interrupted as well.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from scanlet.emit.durable import WAIT_SECONDS, held, sync_folder, write_synced
from scanlet.errors import EmitError, ModelFileError

STAGE = ".scanlet-stage"
BACKUP_SUFFIX = ".bak"
_LOCK, _NEW, _OLD = "lock", "new", "old"
#: The journal while a change may have to be undone, and once it is made.
_JOURNAL, _MADE = "journal.json", "made.json"
#: A folder that is in use, gone, or a person's to remove.
_NOT_REMOVED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EACCES,
                errno.EPERM, errno.EROFS)  # fmt: skip
_READ_ATTEMPTS = 20
T = TypeVar("T")


@dataclass(frozen=True)
class Change:
    """What happens to one path, relative to the directory.

    `away` is where that goes which is there now (None: there is nothing), `new` the SHA-256 of
    what comes instead (None: nothing does).
    """

    path: str
    away: str | None
    new: str | None


@dataclass(frozen=True)
class Journal:
    """All changes, and the folders that are made for them, outer ones first."""

    changes: tuple[Change, ...]
    folders: tuple[str, ...]


def put_aside(path: str) -> str:
    """Where a file goes that is replaced or removed for good."""
    return f"{STAGE}/{_OLD}/{path}"


@contextlib.contextmanager
def staging(stage: Path, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the folder `stage` for the block, empty but for the lock; it is gone afterwards.

    What a process that died left there is undone first. Raises EmitError if another process holds
    it for `wait` seconds, or if an interrupted change cannot be undone; OSError.
    """
    if stage.is_symlink():
        raise EmitError("this is a symbolic link", where=str(stage), hint="remove it")
    with contextlib.ExitStack() as stack:
        descriptor = _hold(stack, stage, wait)
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            recover(stage)
            _clear(stage)
            yield
        finally:
            if not os.path.lexists(stage / _JOURNAL):
                with contextlib.suppress(OSError):  # left over, it is cleared the next time
                    _clear(stage)
                with contextlib.suppress(OSError):
                    (stage / _LOCK).unlink()
                    stage.rmdir()


def _hold(stack: contextlib.ExitStack, stage: Path, wait: float) -> int:
    while True:
        # Not mkdir(exist_ok=True): that looks again, when its holder may just have removed it.
        with contextlib.suppress(FileExistsError):
            stage.mkdir()
        try:
            return stack.enter_context(held(stage / _LOCK, lambda: _busy(stage), wait))
        except FileNotFoundError:  # its holder has just removed the folder
            continue
        except OSError:
            with contextlib.suppress(OSError):
                stage.rmdir()
            raise


def _busy(stage: Path) -> EmitError:
    try:
        holder = f"process {int((stage / _LOCK).read_bytes())}"
    except (OSError, ValueError):
        holder = "another process"
    return EmitError(
        f"{holder} is writing here; nothing was changed",
        where=str(stage.parent),
        hint="wait until it has ended, or choose another directory",
    )


def _remove_if_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno in _NOT_REMOVED:
            return False
        raise
    return True


def _clear(stage: Path) -> None:
    _remove_emptied(stage.parent, stage / _MADE)
    for name in (_NEW, _OLD):
        if os.path.lexists(stage / name):
            shutil.rmtree(stage / name)


def write_tree(stage: Path, within: str, files: Mapping[str, bytes]) -> Path:
    """Write files (relative path -> content) below stage/new/`within`; returns stage/new."""
    tree = stage / _NEW
    tree.mkdir(exist_ok=True)
    for path, content in files.items():
        write_synced(tree / within / path, content)
    for written, _, _ in os.walk(tree):
        sync_folder(Path(written))
    return tree


def change(directory: Path, files: Mapping[str, bytes], aways: Mapping[str, str | None]) -> None:
    """Put `files` into the directory and what is there now away, within `staging`.

    `aways` has an entry a path that is written or removed: where the present file goes. Raises
    OSError after undoing everything, EmitError if that was not possible.
    """
    stage = directory / STAGE
    write_tree(stage, "", files)
    changes = tuple(
        Change(path, away, digest_of(files[path]) if path in files else None)
        for path, away in aways.items()
    )
    journal = Journal(changes, tuple(_missing_folders(directory, files)))
    text = json.dumps({"version": 1} | asdict(journal), indent=1)
    try:
        write_synced(stage / f"{_JOURNAL}.new", text.encode())
        os.replace(stage / f"{_JOURNAL}.new", stage / _JOURNAL)
        sync_folder(stage)
        _carry_out(directory, stage, journal)
        os.replace(stage / _JOURNAL, stage / _MADE)
    except BaseException as error:
        with contextlib.suppress(OSError):
            (stage / f"{_JOURNAL}.new").unlink()
        if os.path.lexists(stage / _JOURNAL):
            _undo_or_explain(directory, journal, f"writing failed ({error})", error)
        raise
    with contextlib.suppress(OSError):  # the change is made
        sync_folder(stage)


def _missing_folders(directory: Path, files: Mapping[str, bytes]) -> Iterator[str]:
    parents = {
        str(folder)
        for path in files
        for folder in PurePosixPath(path).parents
        if str(folder) != "." and not (directory / folder).is_dir()
    }
    yield from sorted(parents)


def _carry_out(directory: Path, stage: Path, journal: Journal) -> None:
    touched = {directory}
    for one in journal.changes:
        if one.away is not None:
            (directory / one.away).parent.mkdir(parents=True, exist_ok=True)
            os.replace(directory / one.path, directory / one.away)
            touched.add((directory / one.path).parent)
    for folder in journal.folders:
        (directory / folder).mkdir()
        touched.add((directory / folder).parent)
    for one in journal.changes:
        if one.new is not None:
            os.replace(stage / _NEW / one.path, directory / one.path)
            touched.add((directory / one.path).parent)
    for changed in sorted(touched):
        sync_folder(changed)


def _remove_emptied(directory: Path, made: Path) -> None:
    """Remove the folders that a change has emptied: last of all, for a full disk has no others."""
    if not os.path.lexists(made):
        return
    with contextlib.suppress(EmitError):
        for one in _read_journal(directory, made).changes:
            folder = (directory / one.path).parent
            while one.new is None and folder != directory and _remove_if_empty(folder):
                folder = folder.parent
    made.unlink()


def recover(stage: Path) -> None:
    """Undo the change of a process that died, if there is one; `stage` is held.

    Raises EmitError if that is not possible.
    """
    path = stage / _JOURNAL
    if not os.path.lexists(path):
        return
    directory = stage.parent
    journal = _read_journal(directory, path)
    _undo_or_explain(directory, journal, "an earlier compile was interrupted", None)


def _read_journal(directory: Path, path: Path) -> Journal:
    try:
        content = json.loads(path.read_bytes())
        changes = tuple(Change(**entry) for entry in content["changes"])
        folders = tuple(content["folders"])
        names = [one.path for one in changes] + [one.away for one in changes if one.away]
        strange = [n for n in (*names, *folders) if not lies_inside(directory, n)]
        if content["version"] != 1 or strange:
            raise ValueError(", ".join(strange) or "of another version")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EmitError(
            f"an earlier compile was interrupted, and its journal is damaged: {error}",
            where=str(path),
            hint=f"move what you need out of {path.parent}, and remove that folder",
        ) from error
    return Journal(changes, folders)


def _undo_or_explain(
    directory: Path, journal: Journal, what: str, cause: BaseException | None
) -> None:
    stuck = _undo(directory, journal)
    if not stuck:
        return
    raise EmitError(
        f"{what} and could not be undone for {', '.join(stuck)}",
        where=str(directory),
        hint="see to the disk; the next compile into this directory tries again. By hand: "
        f"move your files back from {directory / STAGE / _OLD}",
    ) from cause


def _undo(directory: Path, journal: Journal) -> list[str]:
    """Put everything back, the last first; returns the paths for which that failed."""
    stuck = []
    for one in reversed(journal.changes):
        try:
            _put_back(directory, one)
        except OSError:
            stuck.append(one.path)
    for folder in reversed(journal.folders):
        with contextlib.suppress(OSError):  # never made, or a person put something there
            (directory / folder).rmdir()
    if not stuck:
        try:
            (directory / STAGE / _JOURNAL).unlink(missing_ok=True)
        except OSError:
            stuck.append(f"{STAGE}/{_JOURNAL}")
    return stuck


def _put_back(directory: Path, one: Change) -> None:
    target = directory / one.path
    present = os.path.lexists(target)
    ours = present and one.new is not None and is_file_with(target, one.new)
    if one.away is None:
        if ours:
            target.unlink()
        return
    away = directory / one.away
    if not os.path.lexists(away):  # not moved yet, or back again
        return
    if present and not ours:  # made by a person after the interruption
        os.replace(target, directory / free_backup_name(directory, one.path))
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(away, target)


def read_settled(directory: Path, stamp: Path, read: Callable[[], T]) -> T:
    """What `read` returns of a directory that nobody changes meanwhile.

    An interrupted change is undone first. `stamp` is a file that every change replaces. Raises
    ModelFileError if the directory is neither one project nor another and must be left so.
    """
    for _ in range(_READ_ATTEMPTS):
        before = _settled_stamp(directory, stamp)
        try:
            result = read()
        except Exception:
            if _settled_stamp(directory, stamp) == before:
                raise
            continue
        if _settled_stamp(directory, stamp) == before:
            return result
    raise ModelFileError("this project changes all the time", where=str(directory))


def _settled_stamp(directory: Path, stamp: Path) -> tuple[int, int, int] | None:
    stage = directory / STAGE
    if os.path.lexists(stage / _JOURNAL):
        try:
            with staging(stage):
                pass
        except (EmitError, OSError) as error:
            raise ModelFileError(
                "a compile into this directory was interrupted: its files are in part those of "
                f"one project, in part those of another ({error})",
                where=str(directory),
                hint="make the directory writable and open it again, or compile again",
            ) from error
    try:
        found = stamp.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def lies_inside(directory: Path, path: str) -> bool:
    """Whether the file's folder, symbolic links followed, is in `directory`."""
    pure = PurePosixPath(path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts:
        return False
    try:
        root = directory.resolve()
        parent = (directory / path).parent.resolve()
    except (OSError, RuntimeError):  # links in a circle
        return False
    return root == parent or root in parent.parents


def free_backup_name(directory: Path, path: str) -> str:
    """`path`.bak, or with a number where there are backups already."""
    for number in itertools.count():
        name = f"{path}{BACKUP_SUFFIX}{number or ''}"
        if not os.path.lexists(directory / name):
            return name
    raise AssertionError("unreachable")


def is_file_with(path: Path, digest: str) -> bool:
    """Whether this is a regular file of that content, and no link."""
    return not path.is_symlink() and path.is_file() and digest_of(path.read_bytes()) == digest


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
