"""Progress of long steps on standard error, only where a person is looking."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any


class Progress:
    """A spinner with the current step: `with Progress() as step: step("capturing")`."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._status: Any = None
        if enabled and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")

    def __enter__(self) -> Progress:
        if self._status is not None:
            self._status.start()
        return self

    def __call__(self, message: str) -> None:
        if self._status is not None:
            self._status.update(message)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()
