"""A command as a person would type it again, the same wherever it ran."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import Any

import typer

#: These change nothing in what is written.
_WITHOUT_EFFECT = ("as_json", "force", "quiet")


def command_text(context: typer.Context) -> str:
    """The command of `context` with the options that were given, in the order of its help.

    The output directory becomes DIR, and absolute paths lose their folders.
    """
    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name in _WITHOUT_EFFECT or source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if parameter.param_type_name == "argument":
            words.append(_text(value))
        elif name == "output":
            words += ["-o", "DIR"]
        elif isinstance(value, bool):
            words += [parameter.opts[0] if value else parameter.secondary_opts[0]]
        else:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                words += [max(parameter.opts, key=len), _text(one)]
    return shlex.join(["scanlet", context.command.name or "", *words])


def _text(value: Any) -> str:
    path = PurePath(str(value))
    return path.name if path.is_absolute() else str(value)
