"""JSON on standard output: with --json one document, and nothing else, also for an error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import Any, TextIO

from scanlet.progress import Notes

_stream: ContextVar[TextIO | None] = ContextVar("scanlet_json", default=None)


@contextmanager
def only_documents() -> Iterator[None]:
    """Standard output is for `print_json`; what else is printed there goes to standard error."""
    token = _stream.set(sys.stdout)
    try:
        notes = Notes()
        with redirect_stdout(notes):
            yield
        notes.finish()
    finally:
        _stream.reset(token)


def print_json(content: Any) -> None:
    """Print the document: ASCII, and what JSON has no number for as the string that floats have:
    "NaN", "Infinity", "-Infinity"."""
    text = json.dumps(_strict(content), indent=2, allow_nan=False)
    print(text, file=_stream.get() or sys.stdout)


def error_document(
    kind: str, message: str, *, where: str | None = None, hint: str | None = None
) -> dict[str, Any]:
    """What --json prints instead of a result."""
    return {"error": {"kind": kind, "message": message, "where": where, "hint": hint}}


def _strict(content: Any) -> Any:
    if isinstance(content, float) and not math.isfinite(content):
        return "NaN" if math.isnan(content) else ("Infinity" if content > 0 else "-Infinity")
    if isinstance(content, dict):
        return {key: _strict(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_strict(value) for value in content]
    return content
