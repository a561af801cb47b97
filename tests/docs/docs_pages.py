"""The pages of the documentation, and the fenced code blocks on them.

What a block is for shows in its language, and in words that a reader sees as well:

    python, sh      run, in order, in a folder that the page's blocks share
    any, title="F"  written to the file F of that folder first
    output          what the last block printed holds these lines, in this order; "..." is anything
    c, cpp          compiled (cpp against the stubs of TFLM's headers), not run
    text            a picture; nothing is checked

Lines that call make, pip, git or idf.py are never run: the former set up what the tests run in. Nor
is a block whose first line is a comment "Not run here: WHY", which needs something that the tests
do not have, such as a board. Both are checked: syntax, and that commands, make targets and options
exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = tuple(
    str(path.relative_to(CHECKOUT))
    for path in (CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md")))
)
LANGUAGES = ("python", "sh", "output", "c", "cpp", "text")
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
_NOT_RUN = re.compile(r"^(?:#|//) Not run here: (?P<why>.+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its first line of text."""

    page: str
    line: int
    language: str
    title: str | None
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def not_run(self) -> str | None:
        """Why the block is not run; None where it is."""
        match = _NOT_RUN.match(self.text.split("\n", 1)[0])
        return match["why"] if match else None


def read(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    source = read(page)
    found = []
    for match in _FENCE.finditer(source):
        language, _, rest = match["info"].strip().partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        indent = match["indent"]
        lines = [line.removeprefix(indent) for line in match["text"].splitlines()]
        line = source.count("\n", 0, match.start("text")) + 1
        found.append(Block(page, line, language, title and title[1], "\n".join(lines) + "\n"))
    return found


def prose_of(page: str) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", read(page))
