"""Run the command line and turn whatever ends it into an exit code and a message."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from types import FrameType
from typing import Any, NoReturn, TextIO

import typer

from scanlet import progress
from scanlet.cli.documents import error_document, only_documents, print_json
from scanlet.errors import InputError, MissingToolError, ScanletError, TargetError

SUCCESS, AT_FAULT, CALL_AT_FAULT, DEFECT = 0, 1, 2, 3
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
DEFECT_HINT = "this is a defect of scanlet: please report it, with the lines above"
CALL_ERRORS = (InputError, MissingToolError, TargetError)


def execute(app: typer.Typer, arguments: Sequence[str]) -> int:
    """The exit code of `scanlet ARGUMENTS`; all messages are printed."""
    for stream in (sys.stdout, sys.stderr):
        _speak_the_locale(stream)
    with suppress(ValueError):  # signals belong to the main thread
        signal.signal(signal.SIGTERM, _terminate)
    as_json = "--json" in arguments
    with only_documents() if as_json else nullcontext(), warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return _run(app, arguments, as_json)
        except BrokenPipeError:  # whoever read has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return AT_FAULT


def _run(app: typer.Typer, arguments: Sequence[str], as_json: bool) -> int:
    try:
        result = app(args=list(arguments), prog_name="scanlet", standalone_mode=False)
        code = result if isinstance(result, int) else SUCCESS
        if code != INTERRUPTED:  # typer makes an exit code of Ctrl-C
            return code
    except BrokenPipeError:
        raise
    except ScanletError as error:
        if as_json:
            kind = type(error).__name__
            print_json(error_document(kind, error.message, where=error.where, hint=error.hint))
        else:
            _say(f"error: {error}")
        return CALL_AT_FAULT if isinstance(error, CALL_ERRORS) else AT_FAULT
    except (KeyboardInterrupt, typer.Abort):  # Abort: an older typer's Ctrl-C
        pass
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's, for an option or argument
            if as_json:
                print_json(error_document("UsageError", error.format_message()))
            else:
                _show_usage(error)
            return CALL_AT_FAULT
        if isinstance(error, OSError):  # a full disk, say, where nobody could say more about it
            if as_json:
                print_json(error_document("OSError", str(error)))
            else:
                _say(f"error: {error}")
            return AT_FAULT
        _say(f"{traceback.format_exc()}error: {DEFECT_HINT}")
        if as_json:
            message = f"{type(error).__name__}: {error}"
            print_json(error_document("Defect", message, hint=DEFECT_HINT))
        return DEFECT
    if as_json:
        print_json(error_document("Interrupted", "interrupted"))
    else:
        _say("interrupted")
    return INTERRUPTED


def _show_usage(error: Any) -> None:
    """As typer shows what is wrong with an option."""
    with suppress(ImportError, AttributeError):
        from typer.rich_utils import rich_format_error

        rich_format_error(error)
        return
    error.show()


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - as `warnings` calls it
    line: str | None = None,
) -> None:
    """Ours as a sentence; those of libraries as Python would."""
    if category.__module__.split(".")[0] == "scanlet":
        progress.note(f"warning: {message}")
    else:
        progress.note(warnings.formatwarning(message, category, filename, lineno, line).rstrip())


def _terminate(_: int, __: FrameType | None) -> NoReturn:
    """Unwind as for any other end: temporary files go, the terminal's cursor comes back."""
    raise SystemExit(TERMINATED)


def _speak_the_locale(stream: TextIO | None) -> None:
    """Where the locale is not UTF-8, no tables of box characters, and no crash for want of one.

    Python itself takes LC_ALL=C for UTF-8.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return
    plain = os.environ.get("LC_ALL") in ("C", "POSIX") and not os.environ.get("PYTHONUTF8")
    if plain:
        stream.reconfigure(encoding="ascii", errors="backslashreplace")
    elif not stream.encoding.lower().startswith("utf"):
        stream.reconfigure(errors="backslashreplace")
