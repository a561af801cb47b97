"""Writing a project so that a person's work in it survives.

A manifest in the directory records the hash of each file as it was generated. On the next write,
only files that still have that hash are replaced or removed; a file that a person edited is
refused (or, forced, kept beside as .bak), everything else is left alone. All or none: the new
files are staged beside the directory's own, moved in at the end, and moved back if a step fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scanlet.errors import EmitError, ProjectConflictError

MANIFEST = ".scanlet-manifest.json"
BACKUP_SUFFIX = ".bak"


@dataclass(frozen=True)
class WriteResult:
    """Relative paths: files written, generated files removed, edited files kept as backups."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    backups: tuple[str, ...]


def write_project(
    directory: Path,
    files: Mapping[str, bytes],
    *,
    force: bool = False,
    generator_version: str = "",
    keep_others: bool = False,
) -> WriteResult:
    """Write `files` (relative path -> content) into `directory` under the manifest rule.

    Generated files that are no longer produced are removed if nobody edited them; with
    `keep_others` only in the top-level folders that `files` writes to. Raises
    ProjectConflictError for edited files and files that scanlet did not generate (unless `force`,
    which keeps them as backups), EmitError if the directory cannot be written; in both cases the
    directory is as it was before.
    """
    _check_paths(directory, files)
    known = {
        path: digest
        for path, digest in _read_manifest(directory).items()
        if _lies_inside(directory, path)
    }
    written, conflicts = _sort_out(directory, files, known)
    if conflicts and not force:
        listed = "\n".join(f"  {path}: {reason}" for path, reason in conflicts.items())
        raise ProjectConflictError(
            f"these files would be overwritten:\n{listed}",
            where=str(directory),
            hint="keep your changes elsewhere, or write with --force (they are kept as "
            f"*{BACKUP_SUFFIX}) or --component-only (leaves the application alone)",
        )
    folders = {PurePosixPath(path).parts[0] for path in files}
    others = {
        path: digest
        for path, digest in known.items()
        if keep_others and PurePosixPath(path).parts[0] not in folders
    }
    gone = sorted(set(known) - set(files) - set(others))
    removed = [path for path in gone if _is_unedited(directory / path, known[path])]
    backups = {path: _free_backup_name(directory, path) for path in sorted(conflicts)}
    manifest = {**others, **{path: _hash(content) for path, content in files.items()}}
    with _failures_explained(directory), _created(directory):
        _replace(directory, files, written, removed, backups, manifest, generator_version)
    for path in removed:
        _remove_empty_parents(directory, (directory / path).parent)
    return WriteResult(tuple(written), tuple(removed), tuple(backups.values()))


def _check_paths(directory: Path, files: Mapping[str, bytes]) -> None:
    if directory.exists() and not directory.is_dir():
        raise EmitError("this is a file, not a directory", where=str(directory))
    for path in files:
        pure = PurePosixPath(path)
        if not pure.parts or pure.is_absolute() or ".." in pure.parts or path == MANIFEST:
            raise EmitError(f"{path!r} is no path inside the project", where=str(directory))
        if not _lies_inside(directory, path):
            raise EmitError(
                f"{path!r} leads out of the directory through a symbolic link",
                where=str(directory),
                hint="remove the link, or choose another output directory",
            )


def _lies_inside(directory: Path, path: str) -> bool:
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


def _is_unedited(path: Path, digest: str) -> bool:
    return not path.is_symlink() and path.is_file() and _hash_of(path) == digest


def _free_backup_name(directory: Path, path: str) -> str:
    """`path`.bak, or with a number where there are backups already."""
    for number in itertools.count():
        name = f"{path}{BACKUP_SUFFIX}{number or ''}"
        if not os.path.lexists(directory / name):
            return name
    raise AssertionError("unreachable")


def _sort_out(
    directory: Path, files: Mapping[str, bytes], known: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The files that need writing, and those among them that hold a person's work (why)."""
    written, conflicts = [], {}
    for path in sorted(files):
        target = directory / path
        if target.is_dir() and not target.is_symlink():
            raise EmitError(f"{path!r} is a directory", where=str(directory))
        if target.is_symlink():
            written.append(path)
            conflicts[path] = "a symbolic link, not generated by scanlet"
            continue
        present = _hash_of(target)
        if present == _hash(files[path]):
            continue
        written.append(path)
        if present is None:
            continue
        if path not in known:
            conflicts[path] = "not generated by scanlet"
        elif present != known[path]:
            conflicts[path] = "edited since it was generated"
    return written, conflicts


def _replace(
    directory: Path,
    files: Mapping[str, bytes],
    written: list[str],
    removed: list[str],
    backups: Mapping[str, str],
    manifest: Mapping[str, str],
    version: str,
) -> None:
    """Stage everything, then move; undo every move if one fails."""
    stage = Path(tempfile.mkdtemp(prefix=".scanlet-stage-", dir=directory))
    undo: list[tuple[Path, Path]] = []  # (where it is now, where it was)
    created: list[Path] = []
    try:
        for path in written:
            _write(stage / "new" / path, files[path])
        content = {"generator": f"scanlet {version}", "files": dict(sorted(manifest.items()))}
        _write(stage / "new" / MANIFEST, (json.dumps(content, indent=1) + "\n").encode())
        for path in (*written, *removed, MANIFEST):
            target = directory / path
            if target.exists() or target.is_symlink():
                old = stage / "old" / path
                old.parent.mkdir(parents=True, exist_ok=True)
                os.replace(target, old)
                undo.append((old, target))
        for path in (*written, MANIFEST):
            target = directory / path
            _make_parents(target.parent, created)
            os.replace(stage / "new" / path, target)
            undo.append((target, stage / "new" / path))
        for path, backup in backups.items():
            created.append(directory / backup)  # before the copy: half of one goes too
            shutil.copy2(stage / "old" / path, directory / backup, follow_symlinks=False)
    except BaseException as error:
        stuck = _move_back(undo)
        for made in reversed(created):
            with contextlib.suppress(OSError):
                made.rmdir() if made.is_dir() and not made.is_symlink() else made.unlink()
        if stuck:
            raise EmitError(
                f"writing failed ({error}) and could not be undone for {', '.join(stuck)}",
                where=str(directory),
                hint=f"move your files back from {stage / 'old'}",
            ) from error
        shutil.rmtree(stage, ignore_errors=True)
        raise
    shutil.rmtree(stage, ignore_errors=True)


def _move_back(undo: list[tuple[Path, Path]]) -> list[str]:
    """Undo the moves, the last first; returns the names of those that could not be undone."""
    stuck = []
    for now, before in reversed(undo):
        try:
            os.replace(now, before)
        except OSError:
            stuck.append(before.name)
    return stuck


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _make_parents(folder: Path, created: list[Path]) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir()
        created.append(path)


def _remove_empty_parents(root: Path, folder: Path) -> None:
    with contextlib.suppress(OSError):  # an empty folder left over harms nobody
        while folder != root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


@contextlib.contextmanager
def _created(directory: Path) -> Iterator[None]:
    """Make `directory` for the block; take it away again if the block fails."""
    made: list[Path] = []
    _make_parents(directory, made)
    try:
        yield
    except BaseException:
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


@contextlib.contextmanager
def _failures_explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmitError(
            f"cannot write the project: {error.strerror or error}",
            where=str(directory),
            hint="check permissions and free space; the directory is as it was before",
        ) from error


def _read_manifest(directory: Path) -> dict[str, str]:
    """Hashes of the generated files; empty if nothing was generated there."""
    path = directory / MANIFEST
    try:
        content = json.loads(path.read_bytes())
        return {str(name): str(digest) for name, digest in content["files"].items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise EmitError(f"cannot read the manifest: {error.strerror}", where=str(path)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EmitError(
            f"the manifest is damaged: {error}",
            where=str(path),
            hint="remove it; files that differ from the new ones then count as yours",
        ) from error


def _hash_of(path: Path) -> str | None:
    try:
        return _hash(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EmitError(f"cannot read: {error.strerror}", where=str(path)) from error


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
