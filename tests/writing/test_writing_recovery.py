"""After an interruption: what the next one finds, undoes, refuses, and never takes away."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import scanlet
from scanlet.emit import transaction
from scanlet.emit.transaction import STAGE, read_settled
from scanlet.emit.writer import MANIFEST, write_project
from scanlet.errors import EmitError, ModelFileError

OLD = {"a": b"1", "main/b": b"2"}
NEW = {"a": b"11", "main/b": b"22", "model/c": b"3"}


class Killed(BaseException):
    """As if the process died: nothing of ours handles what follows."""


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose writer died when half of the files were moved."""
    write_project(tmp_path, OLD)
    moves, replace = [], os.replace

    def dying(a, b):
        if len(moves) == 5:
            raise Killed
        moves.append(b)
        replace(a, b)

    def dies(*_args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying)
        patch.setattr(transaction, "_undo", dies)
        with pytest.raises(Killed):
            write_project(tmp_path, NEW)
    assert (tmp_path / STAGE / "journal.json").is_file()
    assert files_in(tmp_path) not in (OLD, NEW)
    return tmp_path


def files_in(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != MANIFEST and STAGE not in path.parts
    }


def test_opening_puts_the_old_project_back(interrupted):
    with pytest.raises(ModelFileError, match=r"report\.json"):  # it is no real one
        scanlet.open(interrupted)
    assert files_in(interrupted) == OLD
    assert not (interrupted / STAGE).exists()


def test_the_next_compile_starts_from_the_old_project(interrupted):
    write_project(interrupted, NEW)
    assert files_in(interrupted) == NEW
    assert not (interrupted / STAGE).exists()


def test_what_a_person_did_meanwhile_is_kept(interrupted):
    assert (interrupted / "a").read_bytes() == NEW["a"]
    (interrupted / "a").write_bytes(b"a person's")
    (interrupted / "main" / "b").write_bytes(b"a person's too")
    read_settled(interrupted, interrupted / MANIFEST, lambda: None)
    kept = {"a.bak": b"a person's", "main/b.bak": b"a person's too"}
    assert files_in(interrupted) == OLD | kept


def test_where_nothing_can_be_undone_the_project_is_refused(interrupted, monkeypatch):
    def refused(*_args):
        raise PermissionError(13, "Permission denied")

    before = files_in(interrupted)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refused)
        with pytest.raises(ModelFileError, match="was interrupted"):
            scanlet.open(interrupted)
        with pytest.raises(EmitError, match="could not be undone"):
            write_project(interrupted, NEW)
    assert files_in(interrupted) == before
    write_project(interrupted, NEW)
    assert files_in(interrupted) == NEW


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:40],
        lambda text: text.replace('"main/b"', '"../precious"'),
        lambda text: text.replace(f'"{STAGE}/old/a"', '"/etc/hostname"'),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda _: json.dumps({"version": 1, "changes": [{"path": 3}], "folders": []}),
    ],
)
def test_a_damaged_journal_moves_nothing(interrupted, damage):
    journal = interrupted / STAGE / "journal.json"
    journal.write_text(damage(journal.read_text()))
    before = files_in(interrupted)
    with pytest.raises(EmitError, match="journal is damaged"):
        write_project(interrupted, NEW)
    assert files_in(interrupted) == before


def test_a_link_in_the_stages_place_is_refused(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "new").write_bytes(b"precious")
    (tmp_path / "p" / STAGE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EmitError, match="symbolic link"):
        write_project(tmp_path / "p", NEW)
    assert (tmp_path / "elsewhere" / "new").read_bytes() == b"precious"


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    (tmp_path / "p").symlink_to(tmp_path / "nowhere")
    with pytest.raises(EmitError, match="leads nowhere"):
        write_project(tmp_path / "p", NEW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p"]


def test_a_way_through_a_folder_that_does_not_exist_leads_where_it_says(tmp_path):
    write_project(tmp_path / "not" / ".." / "p" / "q", NEW)
    assert files_in(tmp_path / "p" / "q") == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_the_root_folder_is_no_project_of_ours(monkeypatch):
    def refused(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refused)  # whoever runs the tests
    with pytest.raises(EmitError, match="Permission denied"):
        write_project(Path("/"), NEW)


def test_a_file_above_the_directory_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(EmitError, match="is not a directory"):
        write_project(tmp_path / "file" / "p", NEW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
