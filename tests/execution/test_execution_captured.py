"""Catching what C++ code prints to standard error."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from scanlet.execution.captured import captured_stderr


def test_what_c_code_prints_is_caught(capfd):
    with captured_stderr() as printed:
        os.write(2, b"from C\n")
    os.write(2, b"not caught")
    assert printed.text == "from C\n"
    assert capfd.readouterr().err == "not caught"


def test_an_exception_restores_standard_error(capfd):
    printed = None

    def fail() -> None:
        nonlocal printed
        with captured_stderr() as printed:
            os.write(2, b"caught")
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    os.write(2, b"after")
    assert printed.text == "caught"
    assert capfd.readouterr().err == "after"


def test_blocks_nest(capfd):
    with captured_stderr() as outer:
        os.write(2, b"a")
        with captured_stderr() as inner:
            os.write(2, b"b")
        os.write(2, b"c")
    assert (outer.text, inner.text) == ("ac", "b")
    assert capfd.readouterr().err == ""


def test_threads_take_turns():
    texts = {}

    def work(letter: bytes) -> None:
        for _ in range(50):
            with captured_stderr() as printed:
                os.write(2, letter)
            texts.setdefault(letter, set()).add(printed.text)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in (b"x", b"y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {b"x": {"x"}, b"y": {"y"}}


def test_a_closed_standard_error_is_no_obstacle():
    script = (
        "import os; os.close(2)\n"
        "from scanlet.execution.captured import captured_stderr\n"
        "with captured_stderr() as printed: os.write(2, b'caught')\n"
        "print(printed.text)\n"
        "try: os.fstat(2)\n"
        "except OSError: print('closed')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert done.stdout == "caught\nclosed\n"
