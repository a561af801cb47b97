"""What goes to standard output: results, one JSON document, or with --quiet next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from terminal_pty import HERE, Terminal, python, scanlet

from scanlet.cli import app, documents, running


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "x.npy"
    np.save(path, np.random.default_rng(0).standard_normal((3, 7, 4)).astype("float32"))
    return path


def execute(capsys, *arguments: str | Path) -> tuple[int, str, str]:
    """The command line in this process."""
    code = running.execute(app, [str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All commands with their names, those of groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


@pytest.mark.parametrize(("name", "command"), [*commands(typer.main.get_command(app))])
def test_every_command_takes_json_and_explains_its_options(name, command):
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options, name
    assert command.help, name
    for parameter in command.params:
        assert parameter.help, f"{name} {parameter.name}"
        assert not parameter.secondary_opts, f"{name}: no option to say no to {parameter.name}"


# -- JSON --------------------------------------------------------------------------------------
def test_a_factory_that_prints_does_not_spoil_the_document(tmp_path, capsys):
    arguments = ("compile", "terminal_models:chatty", "--input-shape", "1,7,4", "--json")
    code, out, err = execute(capsys, *arguments, "-o", tmp_path / "o")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "o" / "report.json").read_text())
    assert err.splitlines() == ["a line that nobody asked for", "warning: this is assumed"]


@pytest.mark.parametrize(
    ("arguments", "look"),
    [
        (["run", "NET", "SAMPLES"], lambda d: np.shape(d["outputs"][0]) == (3, 2)),
        (["verify", "NET"], lambda d: [r["passed"] for r in d] == [True] * 3),
        (["inspect", "NET"], lambda d: d["operators"][0]["name"] == "SELECTIVE_SSM"),
        (["inspect", "NET", "--plan"], lambda d: d["target"] == "esp32s3"),
        (["report", "NET"], lambda d: d["model"]["name"] == "net"),
        (["targets"], lambda d: "esp32s3" in d),
        (["bench", "NET", "--on", "cortex-m4"], lambda d: d[0]["core"] == "cortex-m4"),
    ],
)
def test_every_result_is_one_document(arguments, look, net, samples, capsys):
    named = {"NET": net, "SAMPLES": samples}
    code, out, err = execute(capsys, *(named.get(word, word) for word in arguments), "--json")
    assert code == 0
    assert look(json.loads(out))
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "part"),
    [
        (["run", "/nowhere", "x.npy"], 2, "InputError", ("where", "/nowhere")),
        (["targets", "--colour"], 2, "UsageError", ("message", "No such option: --colour")),
        (["compile", "x.pt2"], 2, "UsageError", ("message", "'-o'")),
        (["bench", "NET", "--on", "z80"], 2, "TargetError", ("hint", "choose one of")),
        (["inspect", "SAMPLES"], 1, "ModelFileError", ("message", "the file identifier")),
        (["explode"], 2, "UsageError", ("message", "No such command")),
    ],
)
def test_an_error_is_a_document_with_the_same_exit_code(
    arguments, code, kind, part, net, samples, capsys
):
    named = {"NET": net, "SAMPLES": samples}
    words = [named.get(word, word) for word in arguments]
    plain_code, out, err = execute(capsys, *words)
    assert (plain_code, out) == (code, "")
    found, out, err = execute(capsys, *words, "--json")
    assert (found, err) == (code, "")
    (error,) = json.loads(out).values()
    assert set(error) == {"kind", "message", "where", "hint"}
    assert error["kind"] == kind
    assert part[1] in error[part[0]]


def test_numbers_that_json_lacks_come_as_words_that_floats_know(capsys):
    documents.print_json({"a": [1.5, float("nan"), float("-inf")], "b": (float("inf"), "straße")})
    text = capsys.readouterr().out
    assert text.isascii()
    a, b = json.loads(text, parse_constant=pytest.fail).values()
    np.testing.assert_array_equal(np.array(a, float), [1.5, np.nan, -np.inf])
    assert (float(b[0]), b[1]) == (np.inf, "straße")


# -- whatever ends a command -------------------------------------------------------------------
CRASH = (
    "import sys; from scanlet.cli import app, running\n"
    "@app.command('crash')\n"
    "def crash() -> None:\n"
    "    raise {error}\n"
    "sys.exit(running.execute(app, ['crash', *sys.argv[1:]]))"
)


def test_a_defect_of_ours_says_so():
    done = subprocess.run(
        python(CRASH.format(error="ZeroDivisionError('nought')")), capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "Traceback" in done.stderr
    assert "please report it" in done.stderr.splitlines()[-1]


def test_an_interruption_has_no_traceback():
    done = subprocess.run(
        python(CRASH.format(error="KeyboardInterrupt")), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_a_reader_that_has_seen_enough_is_no_error(net):
    command = " ".join([*scanlet("inspect", net), "| head -1; exit ${PIPESTATUS[0]}"])
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=HERE)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_a_factory_that_raises_is_the_models_fault(tmp_path, capsys):
    arguments = ("terminal_models:broken", "--input-shape", "1,7,4", "-o", tmp_path / "o")
    code, _, err = execute(capsys, "compile", *arguments)
    assert code == 1
    assert "raised RuntimeError: the factory's own words" in err
    assert f"{HERE / 'terminal_models.py'}:" in err
    assert "Traceback" not in err


# -- quiet -------------------------------------------------------------------------------------
def test_quiet_leaves_nothing_of_a_compile_but_the_project(tmp_path):
    """Behind a terminal, where there would be progress; the factory warns."""
    arguments = ("compile", "terminal_models:chatty", "--input-shape", "1,7,4", "-q")
    terminal = Terminal(scanlet(*arguments, "-o", tmp_path / "o"))
    code, printed = terminal.finish()
    assert code == 0
    assert printed == "a line that nobody asked for\n"  # the factory's own
    assert terminal.shown == ""
    assert (tmp_path / "o" / "report.json").is_file()
    report = json.loads((tmp_path / "o" / "report.json").read_text())
    assert "-q" not in report["reproduce"]["command"]


def test_quiet_leaves_results_and_failures(net, samples, tmp_path, capsys):
    assert execute(capsys, "verify", net, "-q") == (0, "", "")
    assert execute(capsys, "report", net, "-q") == (0, "", "")
    code, out, err = execute(capsys, "run", net, samples, "--quiet")
    assert (code, err) == (0, "")
    assert "(3, 2)" in out
    output = tmp_path / "y.npy"
    assert execute(capsys, "run", net, samples, "-q", "-o", output) == (0, "", "")
    assert np.load(output).shape == (3, 2)
    path = net / "model" / "golden" / "output_0_0.npy"
    original = path.read_bytes()
    np.save(path, np.load(path) + 1)
    code, out, err = execute(capsys, "verify", net, "-q")
    path.write_bytes(original)
    assert (code, err) == (1, "")
    assert [line.split(":")[0] for line in out.splitlines()] == ["FAIL golden 0"]
    code, out, err = execute(capsys, "verify", "/nowhere", "-q")
    assert (code, out) == (2, "")
    assert err.startswith("error: /nowhere")


# -- terminals and locales ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("command", "locale"),
    [
        ("run", {"LC_ALL": "C"}),
        ("targets", {"LC_ALL": "POSIX"}),
        ("run", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        ("run", {"PYTHONIOENCODING": "latin-1"}),
    ],
)
def test_other_locales_get_no_box_characters_and_no_crash(command, locale, net, samples):
    arguments = {"targets": [], "inspect": [net], "run": [net, samples]}[command]
    done = subprocess.run(
        scanlet(command, *arguments),
        cwd=HERE,
        env=dict(os.environ) | locale,
        capture_output=True,
        check=True,
    )
    if "PYTHONIOENCODING" not in locale:
        assert done.stdout.isascii()
        if command == "run":
            assert b"-> stra\\xdfe" in done.stdout or b"-> \\xb5" in done.stdout
    else:
        done.stdout.decode("latin-1")
        if command == "run":
            assert "straße".encode("latin-1") in done.stdout or b"\xb5" in done.stdout


@pytest.mark.parametrize("command", ["targets", "inspect", "plan", "summary", "bench"])
def test_narrow_terminals_get_whole_names(command, net):
    import scanlet as api
    from scanlet.cli import tables
    from scanlet.cli.plan_picture import plan_content, print_plan
    from scanlet.cli.summary_table import print_summary

    row = dict.fromkeys(("loads", "stores", "instructions"), 123_456_789)
    row |= dict.fromkeys(("tile", "ram_bytes", "stack_bytes", "text_bytes"), 1234)
    pictures = {
        "targets": tables.print_targets,
        "inspect": lambda: tables.print_inspection(tables.inspection(net)),
        "plan": lambda: print_plan(plan_content(api.open(net))),
        "summary": lambda: print_summary(api.open(net), net),
        "bench": lambda: tables.print_measurements(
            "net", [{"core": core, **row} for core in ("cortex-m4", "cortex-m7", "rv32imc")]
        ),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "60")
        patch.setenv("FORCE_COLOR", "1")  # a terminal, as far as rich can tell
        patch.setenv("NO_COLOR", "1")
        text = printed(pictures[command])
    assert "…" not in text
    lines = text.splitlines()
    commands = [line for line in lines if line.startswith("  scanlet ") or "idf.py" in line]
    assert max(len(line) for line in lines if line not in commands) <= 60
    if command == "summary":
        assert len(commands) == 2


def printed(action) -> str:
    """Standard output of the call, without styles."""
    import contextlib
    import io

    from terminal_pty import plain

    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        action()
    return plain(stream.getvalue())


def test_the_summary_says_what_to_do_next(net):
    import scanlet as api
    from scanlet.cli.summary_table import next_commands, print_summary

    compiled = api.open(net)
    text = printed(lambda: print_summary(compiled, net))
    for part in ("of flash", "of RAM", "an inference", "expected on", "same label as PyTorch"):
        assert part in " ".join(text.split()), text
    verify, flash = next_commands(compiled, net)
    assert verify == f"scanlet verify {net} --on xtensa-fpu"
    assert flash == f"idf.py -C {net} set-target esp32s3 build flash monitor"
    spaced = next_commands(compiled, Path("a folder"))
    assert spaced == ["scanlet verify 'a folder' --on xtensa-fpu"], "nothing there to be built"
