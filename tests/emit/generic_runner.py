"""Compile a generated generic library on this machine, under the sanitizers, and run it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from scanlet.emit.generic.source import render_generic
from scanlet.graph import Graph
from scanlet.planning.plan import make_plan
from scanlet.targets import find

FLAGS = (
    *("-std=c11", "-g", "-O1", "-ffp-contract=off"),
    *("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wdouble-promotion", "-Wvla", "-Werror"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover"),
)
MAIN = """
#include <stdio.h>
#include "m_model.h"
{arrays}
int main(void) {{
  m_init();
  for (;;) {{
    {reads}
    if (m_run({arguments}) != 0) return 3;
    {writes}
  }}
}}
"""


def run_generic(
    graph: Graph,
    folder: Path,
    *batches: list[np.ndarray],
    tile: int = 4,
    expect: int = 0,
    flags: tuple[str, ...] = (),
) -> list:
    """Compile the library with a small main and run each batch of inputs; outputs per batch.

    `expect` is the exit status; 3 is that of a run that reports a failure.
    """
    for path, text in render_generic(
        graph, make_plan(graph, find("generic"), tile=tile), name="m"
    ).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    types = {"float32": "float", "int32": "int32_t", "int8": "int8_t", "int16": "int16_t"}
    arrays = [f"static {types[t.dtype]} in{i}[{t.size}];" for i, t in enumerate(graph.inputs)]
    arrays += [f"static {types[t.dtype]} out{i}[{t.size}];" for i, t in enumerate(graph.outputs)]
    reads = [
        f"if (fread(in{i}, sizeof in{i}, 1, stdin) != 1) return 0;"
        for i in range(len(graph.inputs))
    ]
    writes = [f"fwrite(out{i}, sizeof out{i}, 1, stdout);" for i in range(len(graph.outputs))]
    names = [f"in{i}" for i in range(len(graph.inputs))]
    names += [f"out{i}" for i in range(len(graph.outputs))]
    (folder / "main.c").write_text(
        MAIN.format(
            arrays="\n".join(arrays),
            reads="\n    ".join(reads),
            writes="\n    ".join(writes),
            arguments=", ".join(names),
        )
    )
    sources = [path.name for path in folder.glob("*.c")]
    subprocess.run(["gcc", *FLAGS, *flags, *sources, "-o", "run"], cwd=folder, check=True)
    data = b"".join(array.tobytes() for batch in batches for array in batch)
    done = subprocess.run(["./run"], cwd=folder, input=data, capture_output=True, check=False)
    assert done.returncode == expect, done.stderr.decode()
    sizes = [tensor.nbytes for tensor in graph.outputs]
    per_run = sum(sizes)
    results = []
    for start in range(0, len(done.stdout), per_run):
        at, row = start, []
        for tensor, nbytes in zip(graph.outputs, sizes, strict=True):
            part = np.frombuffer(done.stdout[at : at + nbytes], tensor.dtype)
            row.append(part.reshape(tensor.shape))
            at += nbytes
        results.append(row)
    return results
