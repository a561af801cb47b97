"""Damage in a project's files, or in what `compile` is given, is an error of scanlet's."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import scanlet
from scanlet.cli.model_source import load_arrays, load_model
from scanlet.cli.tables import inspection, print_inspection
from scanlet.emit.writer import MANIFEST
from scanlet.graph import serialization
from scanlet.project_files import verify_golden
from scanlet.reporting import write_report

COMPONENT = "components/selective_ssm/selective_ssm_tiny.c"


@pytest.fixture(scope="module")
def pristine(compiled, tmp_path_factory) -> Path:
    return compiled.save(tmp_path_factory.mktemp("pristine") / "tiny")


@pytest.fixture
def project(pristine, tmp_path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "tiny"))


@contextlib.contextmanager
def changed(path: Path, content: bytes):
    """The file holds `content` for the block."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def look_at(project: Path) -> None:
    """What the commands do before they run anything."""
    with contextlib.suppress(scanlet.ScanletError):
        opened = scanlet.open(project)
        _ = opened.description
    with contextlib.suppress(scanlet.ScanletError), contextlib.redirect_stdout(io.StringIO()):
        print_inspection(inspection(project))


def damaged(data: bytes, seed: int) -> bytes:
    """Bits, bytes, pieces, the end: something of `data` is not what it was."""
    rng = random.Random(seed)
    result = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        what, at = rng.randrange(5), rng.randrange(max(1, len(result)))
        if what == 0 and result:
            result[at] ^= 1 << rng.randrange(8)
        elif what == 1 and result:
            result[at] = rng.randrange(256)
        elif what == 2:
            del result[at:]
        elif what == 3:
            del result[at : at + rng.randrange(1, 9)]
        else:
            result[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(result)


FILES = [
    *("report.json", "model/graph.scanlet", "model/model.tflite", COMPONENT, MANIFEST),
    *("model/golden/input_0_0.npy", "model/golden/output_2_0.npy"),
]


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_project_never_ends_in_another_error(project, name):
    path = project / name
    content = path.read_bytes()
    for seed in range(12):
        with changed(path, damaged(content, seed)):
            look_at(project)
    for other in (b"", b"\0", b"{}", b"[]", b"null", b"PK\3\4", b"\x93NUMPY", b"\xff" * 99):
        with changed(path, other):
            look_at(project)
    path.unlink()
    look_at(project)


@pytest.mark.parametrize("name", [MANIFEST, "model/model.tflite"])
def test_saving_over_a_damaged_project_never_ends_in_another_error(compiled, project, name):
    content = (project / name).read_bytes()
    for seed in range(2):
        (project / name).write_bytes(damaged(content, seed))
        with contextlib.suppress(scanlet.ScanletError):
            compiled.save(project)


ODD = st.sampled_from(
    [None, 0, -1, 3, 10**30, 1.5, float("nan"), float("inf"), "x", "[/]", "", True, [], {}, [[0]]]
)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_odd_report_never_ends_in_another_error(pristine, data):
    report = json.loads((pristine / "report.json").read_text())
    change(report, data)
    with changed(pristine / "report.json", json.dumps(report).encode()):
        look_at(pristine)


def change(content: Any, data: st.DataObject) -> None:
    """Replace or remove something, at any depth."""
    for _ in range(8):
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key = data.draw(st.sampled_from(keys))
        inside = content[key]
        deeper = isinstance(inside, (dict, list)) and len(inside) > 0
        if not deeper or data.draw(st.integers(0, 3)) == 0:
            break
        content = inside
    if data.draw(st.integers(0, 4)) == 0:
        del content[key]
    else:
        content[key] = data.draw(ODD)


@pytest.mark.parametrize("key", ["sizes", "arena", "layers", "operators", "memory", "graphs"])
def test_a_report_is_not_rendered_from_odd_entries(project, key):
    report = json.loads((project / "report.json").read_text())
    report[key] = 7
    (project / "report.json").write_text(json.dumps(report))
    with pytest.raises(scanlet.ModelFileError, match=r"report\.json.*missing or odd"):
        write_report(scanlet.open(project), project)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("name", "a; b"), ("name", None), ("labels", 3)],
)
def test_an_odd_model_entry_is_refused_with_the_file_s_name(project, entry, value):
    report = json.loads((project / "report.json").read_text())
    report["model"][entry] = value
    (project / "report.json").write_text(json.dumps(report))
    with pytest.raises(scanlet.ModelFileError, match=r"report\.json: an entry is missing or odd"):
        scanlet.open(project)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((1, 12, 4), np.float32), "shape"),
        (np.zeros((1, 12, 5), "U3"), "no array of numbers"),
        (np.array([{}], dtype=object), "pickle"),
    ],
    ids=["shape", "text", "pickle"],
)
def test_another_golden_vector_is_refused(project, array, text):
    np.save(project / "model" / "golden" / "input_0_0.npy", array)
    with pytest.raises(scanlet.ModelFileError, match=text):
        scanlet.open(project)


def test_a_golden_header_that_promises_terabytes_is_refused(project):
    path = project / "model" / "golden" / "input_0_0.npy"
    path.write_bytes(path.read_bytes().replace(b"(1, 12, 5), }  ", b"(1, 12, 5" + b"0" * 5 + b")}"))
    with pytest.raises(scanlet.ModelFileError, match=r"input_0_0\.npy"):
        scanlet.open(project)


def test_a_graph_that_unpacks_without_end_is_refused(project, monkeypatch):
    monkeypatch.setattr(serialization, "MAX_BYTES", 1 << 20)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("graph.json", bytes(2 << 20))
    (project / "model" / "graph.scanlet").write_bytes(bomb.getvalue())
    with pytest.raises(scanlet.ModelFileError, match="unpacks to more than"):
        scanlet.open(project)


def test_nan_in_a_golden_vector_fails_verification(project):
    path = project / "model" / "golden" / "output_0_0.npy"
    np.save(path, np.full_like(np.load(path), np.nan))
    assert [r.passed for r in verify_golden(scanlet.open(project))] == [False, True, True]


def test_names_out_of_a_file_are_neither_markup_nor_controls():
    content = {
        "flatbuffer_bytes": 1,
        "operators": [{"name": "[/bold]", "inputs": [0], "outputs": [0]}],
        "tensors": [
            {
                "name": "[/red]\x1b[2J",
                "shape": [1],
                "dtype": "int8",
                "bytes": 1,
                "constant": False,
                "scales": [1.0],
                "zero_points": [0],
            }
        ],
        "arena": {"[/x]": 3},
        "layers": [],
    }
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        print_inspection(content)
    assert "\x1b[2J" not in printed.getvalue()
    assert "[/red]" in printed.getvalue()


# -- what `compile`, `run` and `evaluate` are given ------------------------------------------------
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_damaged_arrays_never_end_in_another_error(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    arrays = {"mean": np.zeros(5, np.float32), "std": np.ones(5, np.float32)}
    np.save(path, arrays["mean"]) if suffix == ".npy" else np.savez_compressed(path, **arrays)
    content = path.read_bytes()
    for seed in range(80):
        path.write_bytes(damaged(content, seed))
        with contextlib.suppress(scanlet.ScanletError):
            load_arrays(path)


def test_pickled_arrays_are_refused_unread(tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(scanlet.ModelFileError, match="pickle"):
        load_arrays(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".bin"])
def test_damaged_checkpoints_never_end_in_another_error(classifier, tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(classifier.mixer.state_dict(), path)
    else:
        torch.save(classifier.mixer.state_dict(), path)
    content = path.read_bytes()
    for seed in range(20):
        path.write_bytes(damaged(content, seed))
        with contextlib.suppress(scanlet.ScanletError):
            load_model(str(path), None, None, 4)


def test_damaged_programs_never_end_in_another_error(classifier, tmp_path):
    path = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(classifier, (torch.zeros(1, 12, 5),)), path)
    content = path.read_bytes()
    for number, data in enumerate((b"", b"PK\3\4", content[: len(content) // 2], b"x" * 500)):
        path.write_bytes(data)
        with pytest.raises(scanlet.ModelFileError):
            scanlet.compile(str(path), target="generic", name=f"m{number}", progress=False)
    for seed in range(4):  # damage that a checksum of the archive tells
        path.write_bytes(damaged(content, 100 + seed))
        with contextlib.suppress(scanlet.ScanletError):
            scanlet.compile(str(path), target="generic", name="m", progress=False)
