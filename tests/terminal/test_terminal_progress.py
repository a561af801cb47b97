"""Progress appears on a terminal, moves on, tells how long it takes, and leaves nothing behind."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from terminal_pty import (
    HERE,
    HIDE_CURSOR,
    SHOW_CURSOR,
    Terminal,
    plain,
    python,
    scanlet,
    screen,
)

from scanlet.progress import counted, note, shown, stage, step, told, watched
from scanlet.progress.display import clock

STEPS = """
import time
from pathlib import Path
from scanlet.progress import *
with shown(stages=2):
    stage("one")
    time.sleep(0.2)
    stage("two")
    for i in counted(range(10), "counting sheep"):
        time.sleep(0.12)
    note("a note")
    {end}
"""


def test_counted_steps_have_a_bar_and_an_estimate():
    terminal = Terminal(python(STEPS.format(end="")))
    assert terminal.finish() == (0, "")
    text = plain(terminal.shown)
    assert "1/2 one" in text
    counts = [int(n) for n in re.findall(r"2/2 counting sheep \S+ +(\d)/10 ", text)]
    assert counts == sorted(counts)
    assert len(set(counts)) > 5
    estimates = [int(s) for s in re.findall(r"about 0:0(\d) left", text)]
    assert estimates
    assert estimates == sorted(estimates, reverse=True)
    assert estimates[0] <= 2, "of 1.2 seconds"
    assert HIDE_CURSOR in terminal.shown
    assert terminal.shown.rindex(SHOW_CURSOR) > terminal.shown.rindex(HIDE_CURSOR)
    assert terminal.left == ["a note"]


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_the_line_is_never_longer_than_the_terminal(columns):
    terminal = Terminal(python(STEPS.format(end="")), columns=columns)
    terminal.finish()
    lines = re.split(r"[\r\n]+", plain(terminal.shown))
    assert any("1/10" in line for line in lines), "the count is not what is cut"
    assert max(map(len, lines)) <= columns


def test_an_error_ends_it_cleanly():
    terminal = Terminal(python(STEPS.format(end="raise SystemExit('the reason')")))
    code, _ = terminal.finish()
    assert code == 1
    assert terminal.left == ["a note", "the reason"]
    assert terminal.shown.count(SHOW_CURSOR) == terminal.shown.count(HIDE_CURSOR) == 1


def test_what_is_printed_meanwhile_is_not_garbled():
    code = STEPS.format(end="print('some'); print('lines', end='')")
    command = ["sh", "-c", 'exec "$0" "$@" >&2', *python(code)]  # both on the terminal
    terminal = Terminal(command)
    terminal.finish()
    assert terminal.left == ["a note", "some", "lines"]


def test_nothing_is_shown_where_nobody_looks():
    done = subprocess.run(
        python(STEPS.format(end="")), capture_output=True, text=True, cwd=HERE, check=True
    )
    assert done.stdout == ""
    assert done.stderr == "a note\n"


@pytest.mark.parametrize("changed", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_plain_terminals(changed):
    terminal = Terminal(python(STEPS.format(end="")), **changed)
    assert terminal.finish()[0] == 0
    assert terminal.left == ["a note"]
    if "TERM" in changed:
        assert "\x1b" not in terminal.shown
    else:
        assert not re.search(r"\x1b\[[0-9;]*m", terminal.shown), "no colour"


class Told:
    """A listener that keeps all that it is told."""

    def __init__(self) -> None:
        self.events: list[tuple] = []

    def stage(self, name: str) -> None:
        self.events.append(("stage", name))

    def step(self, name: str, done: int, total: int, *_: str) -> None:
        self.events.append(("step", name, done, total))

    def note(self, text: str) -> None:
        self.events.append(("note", text))


def test_a_silent_block_tells_nobody(capsys):
    listener = Told()
    with told(listener):
        assert watched()
        with shown(enabled=False, stages=3):
            assert not watched()
            stage("a")
            step("b")
            note("c")
            assert list(counted("xy", "d")) == ["x", "y"]
        with shown(stages=3):  # joins what is around it
            step("e", 1, 2)
    assert listener.events == [("step", "e", 1, 2)]
    assert not watched()
    note("f")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "f\n")


def test_times_read_as_clocks():
    assert [clock(s) for s in (0, 5.9, 65, 3_725)] == ["0:00", "0:05", "1:05", "1:02:05"]


def test_a_compile_tells_of_every_stage_and_an_interruption_leaves_nothing(tmp_path):
    np.savez(tmp_path / "cal.npz", x=np.random.default_rng(0).standard_normal((200, 7, 4)))
    arguments = ("--precision", "int8", "--calibration", tmp_path / "cal.npz", "-o", tmp_path / "o")
    terminal = Terminal(
        scanlet("compile", "terminal_models:create", "--input-shape", "1,7,4", *arguments),
        XDG_CACHE_HOME=str(tmp_path / "cache"),  # so that there is something to build
    )
    for text in (
        "1/7 loading the model",
        "2/7 capturing the network",
        "4/7 calibrating",
        "/200 samples",
        "5/7 building the operator",
    ):
        terminal.wait_for(text)
    time.sleep(0.3)
    terminal.press("\x03")
    assert terminal.finish() == (130, "")
    assert [line.removeprefix("^C") for line in terminal.left] == ["interrupted"]
    assert terminal.shown.rindex(SHOW_CURSOR) > terminal.shown.rindex(HIDE_CURSOR)
    assert not (tmp_path / "o").exists()
    assert not list((tmp_path / "cache").rglob("*.so"))


def test_instructions_of_an_emulated_core_are_counted_against_the_cost_model(net):
    """The network is too small to be seen running; what is told at the end is what is checked."""
    from scanlet.execution.emulation import counting, program
    from scanlet.execution.emulation.cores import find

    listener = Told()
    with told(listener):
        import scanlet as api

        measured = api.open(net).measure(on="rv32imc")
    names = [event[1] for event in listener.events]
    assert "building for rv32imc" in names
    assert names[-1] == "counting instructions on rv32imc"
    built = [event[2:] for event in listener.events if event[1] == "building for rv32imc"]
    assert built == [(i + 1, len(built)) for i in range(len(built))]
    assert measured["instructions"] > 0

    looked = Told()
    with told(looked):
        folder = net.parent / "counts"
        folder.mkdir(exist_ok=True)
        (folder / counting.EXECUTED).write_bytes((3_000_000).to_bytes(8, "little"))
        program.look_at_counts(find("rv32imc"), None, 10e6, folder)
        (folder / "output").write_bytes(b"x" * 24)
        program.look_at_output(find("rv32imc"), 80, 10, folder)
    assert [event[2:] for event in looked.events] == [(3_000_000, 10_000_000), (3, 10)]


def test_the_plugin_tells_how_many_instructions_have_run():
    """Watched while it runs, a program of some million instructions."""
    from scanlet.execution.emulation import measure

    source = """
#include "scanlet_program.h"
int scanlet_main(void) {
  scanlet_count_begin();
  for (volatile int i = 0; i < 20000000; ++i) { }
  scanlet_count_end();
  return 0;
}
"""
    listener = Told()
    with told(listener):
        result = measure("cortex-m4", {"main.c": source}, expected_instructions=1e8)
    counts = [done for kind, _, done, total in listener.events if total == 100_000_000]
    assert counts == sorted(counts)
    assert 0 < counts[-1] <= 1.01 * result.instructions
    unwatched = measure("cortex-m4", {"main.c": source})
    assert unwatched.instructions == result.instructions, "watching changes nothing"


def test_a_killed_command_gives_the_cursor_back():
    terminal = Terminal(
        python(
            "import sys; from scanlet.cli import app, running\n"
            "import time; from scanlet.progress import *\n"
            "@app.command('wait')\n"
            "def wait():\n"
            "    with shown():\n"
            "        step('waiting'); time.sleep(60)\n"
            "sys.exit(running.execute(app, ['wait']))"
        )
    )
    terminal.wait_for("waiting")
    terminal.interrupt(signal.SIGTERM)
    assert terminal.finish()[0] == 143
    assert terminal.left == []
    assert terminal.shown.rindex(SHOW_CURSOR) > terminal.shown.rindex(HIDE_CURSOR)


def test_an_interruption_ends_the_emulator_too():
    terminal = Terminal(
        python(
            "from scanlet.execution.emulation import run_program\n"
            "from scanlet.progress import shown\n"
            "source = 'int scanlet_main(void) { for (volatile int i = 0;;) i = 1; return 0; }'\n"
            "with shown():\n"
            "    run_program('cortex-m4', {'main.c': source})\n"
        )
    )
    terminal.wait_for("running on cortex-m4")
    emulator = terminal.child("qemu-system-arm")
    terminal.interrupt()  # the process itself, as if it had no terminal
    code, _ = terminal.finish()
    assert code != 0
    assert "KeyboardInterrupt" in terminal.shown
    assert not Path(f"/proc/{emulator}").exists()


def test_the_screen_of_these_tests_is_one():
    assert screen("ab\rc\r\n\x1b[1A\x1b[2Kd\r\n") == ["d"]
    assert screen("one\r\ntwo\r\n") == ["one", "two"]
