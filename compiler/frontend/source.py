"""Where a captured node comes from: module path, file, line and the code itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import fx

from scanlet.graph import Source

_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+), in [^\n]*\n(?P<code>[^\n]*)')
_TORCH = str(Path(torch.__file__).parent)


@dataclass(frozen=True)
class Origin:
    """The module a node belongs to, and the last line of code outside torch that led to it."""

    module: str
    file: str = ""
    line: int = 0
    code: str = ""

    @property
    def source(self) -> Source:
        # Only the file's name: results must not depend on the folder a model was compiled in.
        return Source(self.module, f"{Path(self.file).name}:{self.line}" if self.file else "")

    def describe(self) -> str:
        """For messages, with the full path: `file:line: code`."""
        return f"{self.file}:{self.line}: {self.code}" if self.file else "source line unknown"


def origin(node: fx.Node) -> Origin:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    module = re.sub(r"@\d+", "", stack[-1][0]) if stack else ""
    trace = node.meta.get("stack_trace") or ""
    frames = [
        match
        for part in re.split(r"(?m)^(?=\s*File \")", trace)
        if (match := _FRAME.match(part)) and not match["file"].startswith(_TORCH)
    ]
    # A program that was saved elsewhere has another torch's path in its traces.
    own = [m for m in frames if "/torch/" not in m["file"].replace("\\", "/")] or frames
    if not own:
        return Origin(module)
    last = own[-1]
    return Origin(module, last["file"], int(last["line"]), last["code"].strip())
