"""Runs the code blocks of one page, in order, in one folder."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import typer
from docs_pages import CHECKOUT, Block
from typer.testing import CliRunner

import scanlet
from scanlet.cli import app

#: Programs that are never run: those that set up what the tests run in, and ESP-IDF's.
NEVER_RUN = frozenset({"make", "pip", "git", ".", "idf.py"})
#: Words that only a shell understands.
SHELL = frozenset({"|", "||", "&&", ">"})
STUBS = CHECKOUT / "tests" / "project" / "stubs"


class PageRun:
    """The state that the blocks of a page share: folder, Python names, and the last output."""

    def __init__(self, folder: Path, names: dict[str, Any]) -> None:
        self.folder = self.here = folder
        self.names: dict[str, Any] = {"__name__": "__docs__", **names}
        self.printed = ""

    def block(self, block: Block) -> None:
        """Run or check a block; raises AssertionError that says where, and what happened."""
        if block.title is not None:
            file = self.here / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        match block.language:
            case "python" if block.not_run:
                check_python(block)
            case "python" if block.title is None:
                self._python(block)
            case "sh" if block.not_run:
                check_commands(block)
            case "sh":
                self.printed = ""
                for command in commands_of(block):
                    self._command(block, command)
            case "output":
                check_output(block, self.printed)
            case "c" | "cpp" if block.not_run is None:
                self._compile(block)

    def _python(self, block: Block) -> None:
        # Blank lines ahead: tracebacks then name the page's own lines.
        code = compile("\n" * (block.line - 1) + block.text, str(CHECKOUT / block.page), "exec")
        stream = io.StringIO()
        with contextlib.chdir(self.here), contextlib.redirect_stdout(stream):
            try:
                exec(code, self.names)
            except Exception as error:
                raise AssertionError(f"{block.where}:\n{traceback.format_exc()}") from error
        self.printed = stream.getvalue()

    def _command(self, block: Block, command: str) -> None:
        words = shlex.split(command, comments=True)
        if words[0] in NEVER_RUN:
            check_command(block.where, command)
            return
        if words[0] == "cd":
            self.here = (self.here / words[1]).resolve()
            assert self.here.is_dir(), f"{block.where}: no folder {words[1]}"
            return
        if words[0] == "scanlet" and not SHELL & set(words):
            code, printed = self._scanlet(words[1:])
        else:
            result = subprocess.run(
                ["bash", "-ec", command],
                cwd=self.here,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=300,
            )
            code, printed = result.returncode, result.stdout
        assert code == 0, f"{block.where}: {command}\n{printed}"
        self.printed += printed

    def _scanlet(self, arguments: list[str]) -> tuple[int, str]:
        """The command line in this process: torch is imported once for all."""
        with contextlib.chdir(self.here):
            result = CliRunner().invoke(app, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            if not isinstance(result.exception, scanlet.ScanletError):
                raise result.exception
            return 1, result.output + f"error: {result.exception}"
        return result.exit_code, result.output

    def _compile(self, block: Block) -> None:
        """C and C++ against what earlier blocks of the page have generated."""
        headers = {path.parent for path in self.folder.rglob("*.h")}
        language = "c" if block.language == "c" else "c++"
        compiler = ("gcc", "-std=c11") if language == "c" else ("g++", "-std=c++17", f"-I{STUBS}")
        includes = [f"-I{path}" for path in sorted(headers)]
        result = subprocess.run(
            [*compiler, "-fsyntax-only", "-Wall", "-Werror", *includes, "-x", language, "-"],
            input=block.text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{block.where}:\n{result.stderr}"


def commands_of(block: Block) -> list[str]:
    """The commands of a shell block: lines, continued ones joined, without comment lines."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def check_output(block: Block, printed: str) -> None:
    """Every line occurs in what was printed, in order; "..." stands for anything."""
    rest = squeezed(printed)
    for line in block.text.splitlines():
        parts = [re.escape(part) for part in squeezed(line).split("...")]
        match = re.search(".*?".join(parts), rest)
        assert match, f"{block.where}: nothing printed is {line!r}; there was\n{printed}"
        rest = rest[match.end() :]


def squeezed(text: str) -> str:
    """Runs of blanks as one: columns of tables depend on the longest name."""
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def check_python(block: Block) -> None:
    compile(block.text, block.where, "exec")
    for name in re.findall(r"\bscanlet\.(\w+)", block.text):
        assert hasattr(scanlet, name), f"{block.where}: no scanlet.{name}"


def check_commands(block: Block) -> None:
    """The commands of a block that is not run are ones."""
    for command in commands_of(block):
        check_command(block.where, command)


def check_command(where: str, command: str) -> None:
    """The program, or the make target, module, or arguments of `scanlet`, exists."""
    words = shlex.split(command, comments=True)
    program = words[0]
    if program == "scanlet":
        try:
            parse(words[1:])
        except Exception as error:  # click's, which lies in typer or beside it
            raise AssertionError(f"{where}: {command}: {error}") from error
    elif program == "make":
        makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
        targets = set(re.findall(r"^([\w-]+):", makefile, re.M))
        asked = {word for word in words[1:] if "=" not in word}
        assert asked <= targets, f"{where}: {command}"
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]), f"{where}: {command}"
    else:
        assert program in NEVER_RUN | {"cd"}, f"{where}: what is {program!r}?"


def parse(arguments: list[str]) -> None:
    """Raise click's error unless `scanlet` takes these arguments; nothing is executed."""
    group: Any = typer.main.get_command(app)
    if arguments[0].startswith("-"):
        assert arguments[0] in {name for option in group.params for name in option.opts}
        return
    context = group.make_context("scanlet", [arguments[0]], resilient_parsing=True)
    while hasattr(group, "resolve_command"):
        name, group, arguments = group.resolve_command(context, arguments)
        context = group.make_context(
            name, list(arguments), parent=context, resilient_parsing=hasattr(group, "commands")
        )
