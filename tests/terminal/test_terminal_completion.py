"""The shell completes commands, options, and the values of options."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scanlet.api import MODES, PRECISIONS, STATES
from scanlet.cli import app
from scanlet.quantization.observers import OBSERVERS
from scanlet.targets import ALL, CORES

SHELLS = ("bash", "zsh", "fish")


def completed(line: str, shell: str = "bash") -> list[str]:
    """What the command answers when the shell asks for the end of the line."""
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    result = CliRunner().invoke(
        app, [], prog_name="scanlet", env={"_SCANLET_COMPLETE": f"complete_{shell}", **asked}
    )
    assert result.exit_code == 0, result.output
    return result.output.split("\n")[:-1] if result.output.strip() else []


def test_commands_and_options_are_completed():
    assert completed("scanlet ver") == ["verify"]
    assert completed("scanlet do") == ["doctor"]
    assert "--calibration" in completed("scanlet compile --ca")
    assert completed("scanlet compile --js") == ["--json"]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("compile m.pt2 --target ", ALL),
        ("compile m.pt2 --precision ", PRECISIONS),
        ("compile m.pt2 --mode ", MODES),
        ("compile m.pt2 --state ", STATES),
        ("compile m.pt2 --observer ", OBSERVERS),
        ("compile m.pt2 --pooling ", ("mean", "exponential:", "last", "chunk")),
        ("compile m.pt2 --measure ", [name for name in ALL if ALL[name].core]),
        ("bench p --on ", [name for name in ALL if ALL[name].core]),
        ("run p x.npy --on ", [name for name in ALL if ALL[name].core]),
        ("verify p --on ", [name for name in ALL if ALL[name].core]),
        ("report p --on ", [name for name in ALL if ALL[name].core]),
        ("bench p --on cortex-m", [name for name in CORES if name.startswith("cortex-m")]),
        ("compile m.pt2 --precision int1", ["int16x8"]),
        ("compile m.pt2 --target z", []),
    ],
)
def test_values_of_options_are_completed(line, values):
    assert completed(f"scanlet {line}") == list(values)


def test_zsh_and_fish_get_descriptions():
    zsh = "\n".join(completed("scanlet compile m.pt2 --target stm", "zsh"))
    assert '"stm32h7":"' in zsh
    assert ALL["stm32h7"].description.split(",")[0] in zsh
    assert completed("scanlet compile m.pt2 --precision f", "fish") == ["float32\tas trained"]


@pytest.mark.parametrize("line", ["run ", "run p ", "compile m.pt2 --weights ", "inspect "])
def test_where_paths_are_expected_the_shell_completes_files(line):
    """The command names nothing of its own, which leaves it to the shell."""
    assert [word for word in completed(f"scanlet {line}") if word] == []
    assert completed(f"scanlet {line}", "zsh") == ["_files"]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(shell):
    env = {**os.environ, "_SCANLET_COMPLETE": f"source_{shell}"}
    done = subprocess.run(
        [sys.executable, "-m", "scanlet.cli"], env=env, capture_output=True, text=True, check=True
    )
    assert f"_SCANLET_COMPLETE=complete_{shell}" in done.stdout
    assert "scanlet" in done.stdout


def test_a_real_bash_completes(tmp_path):
    """It sources the script and calls its function as the Tab key would."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "models").mkdir()
    command = tmp_path / "bin" / "scanlet"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scanlet.cli "$@"\n')
    command.chmod(0o755)
    script = """
eval "$(_SCANLET_COMPLETE=source_bash scanlet)"
ask() {
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  _scanlet_completion scanlet; echo "${COMPREPLY[*]}"
}
complete -p scanlet
ask scanlet ins
ask scanlet compile m.pt2 --target esp32
ask scanlet verify p --on cortex-m5
ask scanlet compile mod
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    registered, *answers = done.stdout.splitlines()
    assert "-o default" in registered, "files, where nothing is answered"
    assert [answer.split() for answer in answers] == [
        ["inspect"],
        ["esp32s3", "esp32", "esp32c3"],
        ["cortex-m55"],
        [],
    ]


def test_completion_is_installed_for_the_current_shell(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "scanlet.cli", "--install-completion", "bash"],
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "bash completion installed" in done.stdout
    (script,) = (tmp_path / ".bash_completions").iterdir()
    assert script == Path(tmp_path / ".bash_completions" / "scanlet.sh")
    assert str(script) in (tmp_path / ".bashrc").read_text()
