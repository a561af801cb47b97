"""Breaks lines of generated C as clang-format does, so that templates need not know widths."""

from __future__ import annotations

WIDTH = 100


def wrap(text: str) -> str:
    """Break code lines beyond WIDTH columns after a comma, aligned with the open parenthesis."""
    return "\n".join(part for line in text.split("\n") for part in _wrap_line(line))


def _wrap_line(line: str) -> list[str]:
    parts: list[str] = []
    open_at: list[int] = []  # columns of the parentheses that are open where the line starts
    while len(line) > WIDTH and not line.lstrip().startswith("//"):
        end = line.rfind(", ", 0, WIDTH + 1) + 1
        for column in range(len(line) - len(line.lstrip()), end):
            if line[column] == "(":
                open_at.append(column)
            elif line[column] == ")":
                open_at.pop()
        if not end or not open_at:
            break
        parts.append(line[:end])
        line = " " * (open_at[-1] + 1) + line[end:].lstrip()
    return [*parts, line]
