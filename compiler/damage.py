"""Damage in a project's own files: told as what it is, wherever it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scanlet.errors import ModelFileError

#: What reading a JSON of another structure, or with other values, ends in.
_SYMPTOMS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError)


@contextmanager
def blamed_on(what: str) -> Iterator[None]:
    """ModelFileError that names the file `what` for an error that only odd content explains."""
    try:
        yield
    except (*_SYMPTOMS, MemoryError, RecursionError) as error:
        text = str(error).splitlines()
        raise ModelFileError(
            f"an entry is missing or odd ({type(error).__name__}: {text[0] if text else ''})",
            where=what,
            hint="it was edited, or another version of scanlet wrote it: compile the model again",
        ) from error
