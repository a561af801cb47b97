"""The line that shows progress on a terminal: stage, step, bar, counts and time."""

from __future__ import annotations

import os
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

#: Columns of a terminal from which on there is room for a bar.
ROOM_FOR_A_BAR = 72
BAR_WIDTH = 20


class Display:
    """A line at the bottom of the terminal, gone when the block ends, however it ends."""

    def __init__(self, stages: int) -> None:
        self._stages = stages
        self._stage = 0
        self._name = ""
        # Work redirects descriptor 2 to read what C++ code prints: a copy is not affected.
        self._file = os.fdopen(
            os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors="replace"
        )
        console = Console(file=self._file, stderr=True)
        spinner = "dots" if console.encoding.startswith("utf") else "line"
        bar = [_Bar(bar_width=BAR_WIDTH)] if console.width >= ROOM_FOR_A_BAR else []
        self._progress = Progress(
            SpinnerColumn(spinner),
            _Name(console.width, bar=bool(bar)),
            *bar,
            TextColumn("{task.fields[words]}", markup=False, table_column=Column(no_wrap=True)),
            _Time(table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            # A forked child could wait for ever for the display's lock if its messages came here.
            redirect_stdout=False,
            redirect_stderr=False,
            disable=console.is_dumb_terminal,
        )
        self._task = self._progress.add_task("starting", total=None, stage="", words="")

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        try:
            self._progress.stop()
        finally:
            self._file.close()

    def stage(self, name: str) -> None:
        self._stage += 1
        self._begin(name)

    def step(self, name: str, done: int, total: int, words: str) -> None:
        if name != self._name:
            self._begin(name)
        if total:
            first = self._progress.tasks[0].total is None  # seen even if it is all over soon
            self._progress.update(
                self._task,
                completed=min(done, total),
                total=total,
                words=words or f"{done:,}/{total:,}",
                refresh=first,
            )
        elif words:
            self._progress.update(self._task, words=words)

    def note(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _begin(self, name: str) -> None:
        self._name = name
        of = f"{self._stage}/{self._stages} " if self._stage and self._stages else ""
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=None, stage=of, words="")


class _Name(ProgressColumn):
    """Stage and step, cut to what the other columns leave of the line."""

    def __init__(self, width: int, *, bar: bool) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._width = width - 1 - 4 - (BAR_WIDTH if bar else 0)  # the spinner, blanks between

    def render(self, task: Task) -> Text:
        text = Text(f"{task.fields['stage']}{task.description}")
        room = self._width - len(task.fields["words"]) - len(time_of(task))
        text.truncate(max(room, 8), overflow="ellipsis")
        return text


class _Bar(BarColumn):
    """Nothing where nothing is counted."""

    def render(self, task: Task) -> Any:
        return Text() if task.total is None else super().render(task)


class _Time(ProgressColumn):
    """The time spent on a step and, where it is counted, an estimate of what is left of it."""

    def render(self, task: Task) -> Text:
        return Text(time_of(task))


def time_of(task: Task) -> str:
    text = clock(task.elapsed or 0)
    left = task.time_remaining
    return text if left is None else f"{text}, about {clock(left)} left"


def clock(seconds: float) -> str:
    """0:05, 12:34 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
