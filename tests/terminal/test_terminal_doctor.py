"""`scanlet doctor`: what is there, what is not and how to get it, and whether it works."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from scanlet.cli import app, running
from scanlet.execution import diagnosis
from scanlet.execution.emulation.cores import ALL as CORES
from scanlet.execution.programs import PROGRAMS


def doctor(capsys, *arguments: str) -> tuple[int, str]:
    code = running.execute(app, ["doctor", *arguments])
    captured = capsys.readouterr()
    assert captured.err == ""
    return code, captured.out


def findings(capsys, *arguments: str, code: int = 0) -> dict[str, dict]:
    found, out = doctor(capsys, "--json", *arguments)
    assert found == code
    document = json.loads(out)
    assert document["ok"] is (code == 0)
    return {one["name"]: one for one in document["findings"]}


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """An empty folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_here_everything_that_the_tests_need_is_there(capsys):
    found = findings(capsys)
    assert {name for name, one in found.items() if one["state"] != "ok"} <= {
        "idf.py",  # not a Debian package
        *(name for name in found if name.startswith("scanlet[")),
    }
    assert found["torch"]["version"] == metadata.version("torch")
    assert found["torch"]["required"]
    assert not found["tflite-micro"]["required"]
    assert {name for name, one in found.items() if one["kind"] == "core"} == set(CORES)
    for name in PROGRAMS:
        assert name == "idf.py" or any(map(str.isdigit, found[name]["version"])), name


@pytest.mark.usefixtures("path")
def test_without_any_tool_it_says_how_to_get_them_and_succeeds(capsys):
    found = findings(capsys)
    for name, program in PROGRAMS.items():
        assert found[name]["state"] == "missing"
        (line,) = found[name]["install"]
        assert line == f"apt-get install {' '.join(program.packages)}" or program.otherwise in line
    for name, core in CORES.items():
        assert found[name]["state"] == "missing"
        assert all(tool in found[name]["problem"] for tool in core.tools)
    code, out = doctor(capsys)
    assert code == 0
    (line,) = (line.split() for line in out.splitlines() if line.startswith("  apt-get install "))
    needed = {package for program in PROGRAMS.values() for package in program.packages}
    assert sorted(line[2:]) == sorted(needed), "each once"
    assert "ESP-IDF" in out


def program(folder: Path, name: str, *lines: str) -> None:
    file = folder / name
    file.write_text("\n".join(["#!/bin/sh", *lines]))
    file.chmod(0o755)


def test_a_program_that_does_not_run_is_broken(capsys, path):
    program(path, "cmake", "echo no library >&2", "exit 127")
    program(path, "idf.py", "echo ESP-IDF v5.4.1-dirty")
    program(path, "c++", "echo 'c++ (Debian 12.2.0-14) 13.1.0'")
    (path / "chromium").write_bytes(b"\x7fELF nothing")
    (path / "chromium").chmod(0o755)
    found = findings(capsys)
    assert found["cmake"]["state"] == "broken"
    assert found["cmake"]["problem"] == "exit status 127: no library"
    assert found["cmake"]["install"] == ["apt-get install cmake"]
    assert found["chromium"]["state"] == "broken"
    assert (found["idf.py"]["state"], found["idf.py"]["version"]) == ("ok", "5.4.1")
    assert found["c++"]["version"] == "13.1.0", "not that of the package"


def test_a_required_package_that_is_missing_or_old_fails(capsys, monkeypatch):
    monkeypatch.setattr(
        metadata, "requires", lambda _: ["numpy>=99", "no-such-thing>=1.2", 'x; extra == "docs"']
    )
    found = findings(capsys, code=1)
    assert (found["numpy"]["state"], found["numpy"]["problem"]) == ("broken", ">=99 is needed")
    assert found["no-such-thing"]["state"] == "missing"
    assert found["no-such-thing"]["install"] == ["pip install 'no-such-thing>=1.2'"]
    assert found["scanlet[docs]"]["state"] == "missing"
    assert found["scanlet[docs]"]["install"] == ["pip install 'scanlet[docs]'"]
    assert "torch" not in found
    code, out = doctor(capsys, "-q")
    assert code == 1
    assert "no-such-thing" in out
    assert "cmake" not in out, "quiet: what fails, nothing else"


def test_another_version_of_the_interpreter_is_broken_but_optional(capsys, monkeypatch):
    version = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "0.1" if name == "tflite-micro" else version(name)
    )
    found = findings(capsys)["tflite-micro"]
    assert (found["state"], found["version"]) == ("broken", "0.1")
    assert found["install"][0].startswith("pip install tflite-micro==0.dev")


def test_check_tries_every_core_and_this_machine(capsys):
    found = findings(capsys, "--check")
    for name in (*CORES, "this machine", "torch"):
        assert (found[name]["state"], found[name]["tried"]) == ("ok", True), found[name]


def test_check_finds_what_is_there_and_does_not_work(capsys, path, monkeypatch):
    for tool in {tool for core in CORES.values() for tool in core.tools} | {"cc", "c++"}:
        program(path, tool, "echo version 1.0")  # and makes nothing
    monkeypatch.setenv("XDG_CACHE_HOME", str(path / "cache"))
    monkeypatch.setattr(diagnosis, "_requirements", lambda _: [])
    found = findings(capsys, "--check", code=1)
    for name in (*CORES, "this machine"):
        assert found[name]["state"] == "broken", found[name]
        assert found[name]["problem"]
    assert found["cc"]["state"] == "ok", "it is there, and tells its version"
