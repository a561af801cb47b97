"""Progress of long work on standard error, only where a person is looking.

Work says where it is with `stage` and `step`, wherever it is called from; `shown` makes that
visible around it, or silences it. Without a `shown` around them, nothing is shown.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")


class Listener(Protocol):
    """What is told of progress."""

    def stage(self, name: str) -> None: ...

    def step(self, name: str, done: int, total: int, words: str) -> None: ...

    def note(self, text: str) -> None: ...


_listener: ContextVar[Listener | None] = ContextVar("scanlet_progress", default=None)


def stage(name: str) -> None:
    """The next of the stages that the whole work was announced to have begins."""
    if (listener := _listener.get()) is not None:
        listener.stage(name)


def step(name: str, done: int = 0, total: int = 0, words: str = "") -> None:
    """Within a stage: what is being done, and `done` of `total` where that can be counted.

    `words` say the two numbers, instead of "done/total".
    """
    if (listener := _listener.get()) is not None:
        listener.step(name, done, total, words)


def counted(items: Sequence[T], name: str) -> Iterator[T]:
    """The items, one after the other, each a step that is counted."""
    for done, item in enumerate(items):
        step(name, done, len(items))
        yield item


def note(text: str) -> None:
    """A line of text on standard error that does not run into what is shown."""
    if (listener := _listener.get()) is not None:
        listener.note(text)
    else:
        print(text, file=sys.stderr)


class Notes(io.TextIOBase):
    """A file whose lines become notes."""

    def __init__(self) -> None:
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            note(line)
        return len(text)

    def finish(self) -> None:
        """Whatever has no end of line."""
        if self._begun:
            self.write("\n")


def watched() -> bool:
    """Whether anyone is told: counting for its own sake can be left out."""
    return not isinstance(_listener.get(), _Nobody | None)


@contextmanager
def shown(*, enabled: bool = True, stages: int = 0) -> Iterator[None]:
    """Show the progress of the block if standard error is a terminal, and wipe it off at the end.

    `stages` is how many there will be. Within another `shown` this adds nothing; without
    `enabled` the block is silent, whatever is around it.
    """
    if enabled and (_listener.get() is not None or not _is_terminal()):
        yield
    elif not enabled:
        with _telling(_Nobody()):
            yield
    else:
        from scanlet.progress.display import Display

        with Display(stages) as display, _telling(display), _around_the_line():
            yield


@contextmanager
def _around_the_line() -> Iterator[None]:
    """What is printed on the same terminal does not run into what is shown."""
    if sys.stdout is None or not sys.stdout.isatty():
        yield
        return
    notes = Notes()
    with redirect_stdout(notes):
        yield
    notes.finish()


@contextmanager
def told(listener: Listener) -> Iterator[None]:
    """Tell `listener` of the block's progress, instead of showing it."""
    with _telling(listener):
        yield


@contextmanager
def _telling(listener: Listener) -> Iterator[None]:
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class _Nobody:
    """Is told and shows nothing."""

    def stage(self, name: str) -> None:
        pass

    def step(self, name: str, done: int, total: int, words: str) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
