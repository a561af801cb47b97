"""Writing a project so that a person's work in it survives.

A manifest in the directory records the hash of each file as it was generated. On the next write,
only files that still have that hash are replaced or removed; a file that a person edited is
refused (or, forced, kept beside as .bak), everything else is left alone. All or none, whenever
the process dies (`scanlet.emit.transaction`); a new project appears as a whole, by one rename.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scanlet.emit.durable import sync_folder
from scanlet.emit.transaction import (
    BACKUP_SUFFIX,
    STAGE,
    change,
    digest_of,
    free_backup_name,
    is_file_with,
    lies_inside,
    put_aside,
    staging,
    write_tree,
)
from scanlet.errors import EmitError, ProjectConflictError

MANIFEST = ".scanlet-manifest.json"
#: A place that is made and taken away as often while one project is written is given up.
_ATTEMPTS = 20


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
    `keep_others` only in the top-level folders that `files` writes to. Of several processes that
    write into one directory, one does at a time, and the last one's project stays.

    Raises ProjectConflictError for edited files and files that scanlet did not generate (unless
    `force`, which keeps them as backups), EmitError if the directory cannot be written; in both
    cases the directory is as it was before.
    """
    with _failures_explained(directory):
        for _ in range(_ATTEMPTS):
            _check_paths(directory, files)
            if not os.path.lexists(directory):
                if _create(directory, files, generator_version):
                    return WriteResult(tuple(sorted(files)), (), ())
                continue  # another process was faster
            _clear_beside(directory)
            with staging(directory / STAGE):
                return _update(directory, files, force, generator_version, keep_others)
    raise EmitError("this directory comes and goes all the time", where=str(directory))


def _create(directory: Path, files: Mapping[str, bytes], version: str) -> bool:
    """Make a new directory with everything in it by one rename; False if it is there by now.

    The folder that is renamed is the outermost one that does not exist.
    """
    outermost = Path(os.path.realpath(directory))  # without "..", which may lead out of the stage
    within: list[str] = []
    while not os.path.lexists(outermost.parent):
        within.insert(0, outermost.name)
        outermost = outermost.parent
    if not outermost.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{outermost.parent} is not a directory")
    stage = _beside(outermost)
    with staging(stage):
        if os.path.lexists(outermost):
            return False
        manifest = _manifest_text({path: digest_of(files[path]) for path in files}, version)
        tree = write_tree(stage, "/".join(within), {**files, MANIFEST: manifest})
        try:
            tree.rename(outermost)
        except OSError:
            if os.path.lexists(outermost):
                return False
            raise
        with contextlib.suppress(OSError):  # it is in place
            sync_folder(outermost.parent)
    return True


def _beside(folder: Path) -> Path:
    """Where a folder is written that does not exist yet."""
    return folder.with_name(f".{folder.name}{STAGE}")


def _clear_beside(directory: Path) -> None:
    """Remove what processes left that died just when the directory was made."""
    directory = directory.absolute()
    for folder in (directory, *directory.parents):
        if folder.name in ("", ".."):
            continue
        stage = _beside(folder)
        if os.path.lexists(stage):
            with contextlib.suppress(EmitError, OSError), staging(stage, wait=0.0):
                pass


def _update(
    directory: Path, files: Mapping[str, bytes], force: bool, version: str, keep_others: bool
) -> WriteResult:
    """Replace what may be replaced in a directory that is there, and held."""
    recorded = _read_manifest(directory)
    known = {path: digest for path, digest in recorded.items() if lies_inside(directory, path)}
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
    removed = [path for path in gone if is_file_with(directory / path, known[path])]
    backups = {path: free_backup_name(directory, path) for path in sorted(conflicts)}
    manifest = {**others, **{path: digest_of(content) for path, content in files.items()}}
    staged = {path: files[path] for path in written}
    staged[MANIFEST] = _manifest_text(manifest, version)
    if (written, removed) != ([], []) or not is_file_with(
        directory / MANIFEST, digest_of(staged[MANIFEST])
    ):
        aways = {path: backups.get(path, put_aside(path)) for path in (*staged, *removed)}
        change(
            directory,
            staged,
            {p: away if os.path.lexists(directory / p) else None for p, away in aways.items()},
        )
    return WriteResult(tuple(written), tuple(removed), tuple(backups.values()))


def _manifest_text(manifest: Mapping[str, str], version: str) -> bytes:
    content = {"generator": f"scanlet {version}", "files": dict(sorted(manifest.items()))}
    return (json.dumps(content, indent=1) + "\n").encode()


def _check_paths(directory: Path, files: Mapping[str, bytes]) -> None:
    if directory.exists() and not directory.is_dir():
        raise EmitError("this is a file, not a directory", where=str(directory))
    if directory.is_symlink() and not directory.exists():
        raise EmitError("this is a symbolic link that leads nowhere", where=str(directory))
    for path in files:
        pure = PurePosixPath(path)
        reserved = path == MANIFEST or path.split("/")[0] == STAGE
        if not pure.parts or pure.is_absolute() or ".." in pure.parts or reserved:
            raise EmitError(f"{path!r} is no path inside the project", where=str(directory))
        if not lies_inside(directory, path):
            raise EmitError(
                f"{path!r} leads out of the directory through a symbolic link",
                where=str(directory),
                hint="remove the link, or choose another output directory",
            )


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
        if present == digest_of(files[path]):
            continue
        written.append(path)
        if present is None:
            continue
        if path not in known:
            conflicts[path] = "not generated by scanlet"
        elif present != known[path]:
            conflicts[path] = "edited since it was generated"
    return written, conflicts


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
        return digest_of(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EmitError(f"cannot read: {error.strerror}", where=str(path)) from error
