"""Projects written again: links, manifests from elsewhere, and failures at any step."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanlet.emit.project import render_project
from scanlet.emit.transaction import STAGE
from scanlet.emit.writer import MANIFEST, write_project
from scanlet.errors import EmitError, ProjectConflictError

OLD = {"a": b"1", "main/b": b"2", "main/c": b"3", "model/d": b"4"}
NEW = {"a": b"11", "main/b": b"2", "model/d": b"44", "model/sub/e": b"5"}


def snapshot(directory: Path) -> dict[str, object]:
    """Every file's content, every link's target, every folder."""
    found: dict[str, object] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder"
    return found


def put_into_manifest(directory: Path, path: str, content: bytes) -> None:
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["files"][path] = hashlib.sha256(content).hexdigest()
    (directory / MANIFEST).write_text(json.dumps(manifest))


def test_a_real_project_is_written_refused_after_an_edit_and_updated_by_parts(spec, tmp_path):
    project = tmp_path / "p"
    files = render_project(spec)
    write_project(project, files)
    assert {
        str(path.relative_to(project)): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and path.name != MANIFEST
    } == files
    (project / "main" / "main.cc").write_bytes(b"// mine\n")
    before = snapshot(project)
    with pytest.raises(ProjectConflictError, match=r"main/main\.cc") as refusal:
        write_project(project, {**files, "model/model.tflite": b"new"})
    assert "--force" in str(refusal.value)
    assert "--component-only" in str(refusal.value)
    assert snapshot(project) == before
    part = {**render_project(spec, component_only=True), "model/model.tflite": b"new"}
    assert write_project(project, part, keep_others=True).written == ("model/model.tflite",)
    assert {**before, "model/model.tflite": b"new"} | {MANIFEST: None} == (
        snapshot(project) | {MANIFEST: None}
    )


def test_a_part_removes_what_it_no_longer_has_in_its_own_folders_only(tmp_path):
    write_project(tmp_path, OLD)
    result = write_project(tmp_path, {"model/x": b"9"}, keep_others=True)
    assert result.removed == ("model/d",)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [MANIFEST, *"abcx"]
    assert write_project(tmp_path, NEW).removed == ("main/c", "model/x")


def test_every_forced_backup_is_kept(tmp_path):
    write_project(tmp_path, OLD)
    for i, name in enumerate(("a.bak", "a.bak1", "a.bak2")):
        (tmp_path / "a").write_bytes(b"edit %d" % i)
        assert write_project(tmp_path, OLD, force=True).backups == (name,)
    kept = [(tmp_path / name).read_bytes() for name in ("a.bak", "a.bak1", "a.bak2")]
    assert kept == [b"edit 0", b"edit 1", b"edit 2"]
    assert (tmp_path / "a").read_bytes() == b"1"


@pytest.mark.parametrize("place", ["inside", "outside", "nowhere"])
def test_a_link_in_a_files_place_is_a_persons_work(tmp_path, place):
    project, outside = tmp_path / "p", tmp_path / "outside"
    write_project(project, OLD)
    outside.write_bytes(b"precious")
    target = {"inside": Path("main/b"), "outside": outside, "nowhere": Path("gone")}[place]
    (project / "a").unlink()
    (project / "a").symlink_to(target)
    before = snapshot(project)
    with pytest.raises(ProjectConflictError, match="symbolic link"):
        write_project(project, NEW)
    assert snapshot(project) == before
    write_project(project, NEW, force=True)
    assert (project / "a").read_bytes() == b"11"
    assert not (project / "a").is_symlink()
    assert (project / "a.bak").readlink() == target
    assert outside.read_bytes() == b"precious"


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "main").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "main")
    before = snapshot(tmp_path)
    with pytest.raises(EmitError, match="symbolic link"):
        write_project(tmp_path, OLD)
    assert snapshot(tmp_path) == before


def test_a_link_to_the_output_directory_itself_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "p").symlink_to(tmp_path / "real")
    write_project(tmp_path / "p", OLD)
    assert (tmp_path / "real" / "main" / "b").read_bytes() == b"2"


@pytest.mark.parametrize("path", ["../precious", "main/../../precious", "/precious", "link/x", ""])
def test_a_manifest_cannot_have_files_removed_elsewhere(tmp_path, path):
    project, outside = tmp_path / "p", tmp_path / "elsewhere"
    write_project(project, OLD)
    outside.mkdir()
    (outside / "x").write_bytes(b"precious")
    (tmp_path / "precious").write_bytes(b"precious")
    (project / "link").symlink_to(outside)
    named = path if path != "/precious" else str(tmp_path / "precious")
    put_into_manifest(project, named, b"precious")
    assert "precious" not in str(write_project(project, NEW).removed)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (outside / "x").read_bytes() == b"precious"


def test_a_file_where_a_folder_must_be_is_refused(tmp_path):
    (tmp_path / "main").write_bytes(b"mine")
    before = snapshot(tmp_path)
    with pytest.raises(EmitError, match="cannot write"):
        write_project(tmp_path, OLD)
    assert snapshot(tmp_path) == before


def test_a_folder_where_a_file_must_be_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(EmitError, match="'a' is a directory"):
        write_project(tmp_path, OLD)


class Fault:
    """Lets the first `steps` changes of the file system pass; the next one fails."""

    FUNCTIONS = ((os, "replace"), (os, "mkdir"), (os, "fsync"), (os, "write"), (os, "rename"))

    def __init__(self, patch: pytest.MonkeyPatch, steps: int, code: int, repeated: bool) -> None:
        self.left = steps
        self.code = code
        self.repeated = repeated
        self.active = True
        for owner, name in self.FUNCTIONS:
            patch.setattr(owner, name, self.guarded(getattr(owner, name)))

    def guarded(self, function):
        def call(*args, **kwargs):
            self.left -= 1
            if self.active and (self.left == -1 or (self.repeated and self.left < 0)):
                raise OSError(self.code, os.strerror(self.code))
            return function(*args, **kwargs)

        return call


def write_and_tell(project: Path) -> str | None:
    """Write NEW; the message if it fails."""
    try:
        write_project(project, NEW, force=True)
    except EmitError as error:
        return str(error)
    return None


@settings(max_examples=80, deadline=None)
@given(
    steps=st.integers(0, 45),
    code=st.sampled_from([errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO]),
    edited=st.sets(st.sampled_from(sorted(OLD))),
    removed=st.sets(st.sampled_from(sorted(OLD)), max_size=2),
)
def test_a_failure_at_any_step_changes_nothing_at_all(
    tmp_path_factory, steps, code, edited, removed
):
    project = tmp_path_factory.mktemp("p")
    write_project(project, OLD)
    for path in edited:
        (project / path).write_bytes(b"edited")
    for path in removed - edited:
        (project / path).unlink()
    before = snapshot(project)
    with pytest.MonkeyPatch.context() as patch:
        Fault(patch, steps, code, repeated=False)
        message = write_and_tell(project)
    if message is not None:
        assert os.strerror(code) in message
        assert snapshot(project) == before
    else:  # no failure, or one that did no harm: a folder that could not be made existed already
        assert not (project / STAGE).exists()
        after = snapshot(project)
        assert {path: after[path] for path in NEW} == NEW
        for path in edited & set(NEW):
            assert NEW[path] == OLD[path] or after[f"{path}.bak"] == b"edited"


def test_files_that_cannot_be_moved_back_are_kept_and_named(tmp_path):
    """Half the disk fails for good: nothing may be lost, and the message says where it is."""
    for steps in range(20, 45):
        project = tmp_path / str(steps)
        write_project(project, OLD)
        (project / "a").write_bytes(b"precious")
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(patch, steps, errno.EIO, repeated=True)
            message = write_and_tell(project)
            fault.active = False
        if message is None:
            continue
        contents = [path.read_bytes() for path in project.rglob("*") if path.is_file()]
        assert b"precious" in contents
        if not (project / "a").is_file() or (project / "a").read_bytes() != b"precious":
            assert "move your files back from" in message
