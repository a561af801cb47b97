"""What of scanlet's surroundings is there, and whether it works: for `scanlet doctor`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata

import numpy as np
from packaging.requirements import Requirement

from scanlet.errors import MissingToolError, ScanletError
from scanlet.execution.emulation.cores import ALL as CORES
from scanlet.execution.programs import PROGRAMS, how_to_get
from scanlet.execution.wheel import check_installed
from scanlet.progress import counted, step

#: What a finding may be.
OK, MISSING, BROKEN = "ok", "missing", "broken"
VERSION_SECONDS = 30
_NUMBER = re.compile(r"\d+(\.\d+)+")
OLDEST_PYTHON = (3, 10)
INTERPRETER = "tflite-micro"
_EXTRAS = {"docs": "build the documentation", "examples": "the examples on public data"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    `kind` is "package" (Python's), "program", "core" (an emulated one, of several programs) or
    "host" (this machine's interpreter with an operator). `state` is OK, MISSING or BROKEN, then
    with the `problem`; `install` are the lines to do about it, none where all is well.
    """

    name: str
    kind: str
    state: str
    purpose: str
    required: bool = False
    version: str | None = None
    problem: str | None = None
    install: tuple[str, ...] = ()
    tried: bool = False


def diagnose(*, check: bool = False) -> list[Finding]:
    """Look for everything; with `check`, also import packages and run programs on every core.

    The first are required, the others optional.
    """
    return [*_required(check), _interpreter(), *_extras(), *_programs(), *_cores(check)] + (
        [_host()] if check else []
    )


def _required(check: bool) -> Iterator[Finding]:
    version = platform.python_version()
    old = sys.version_info < OLDEST_PYTHON
    yield Finding(
        *("python", "program", BROKEN if old else OK, "everything"),
        required=True,
        version=version,
        problem="older than 3.10" if old else None,
    )
    for wanted in counted(_requirements(None), "looking at Python packages"):
        yield _package(wanted, "everything", required=True, check=check)


def _requirements(extra: str | None) -> list[Requirement]:
    """Of the installed scanlet, those that apply here: its own, or an extra's."""
    try:
        found = [Requirement(text) for text in metadata.requires("scanlet") or ()]
    except metadata.PackageNotFoundError:  # a checkout on the path
        return []
    return [
        one
        for one in found
        if one.name not in (INTERPRETER, "scanlet")
        and (one.marker is None or one.marker.evaluate({"extra": extra or ""}))
        and (extra is None or not (one.marker is None or one.marker.evaluate({"extra": ""})))
    ]


def _package(wanted: Requirement, purpose: str, *, required: bool, check: bool = False) -> Finding:
    line = (f"pip install '{wanted.name}{wanted.specifier}'",)
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return Finding(wanted.name, "package", MISSING, purpose, required, install=line)
    problem = None
    if not wanted.specifier.contains(version, prereleases=True):
        problem = f"{wanted.specifier} is needed"
    elif check:
        step(f"importing {wanted.name}")
        problem = _import_problem(wanted.name)
    return Finding(
        *(wanted.name, "package", BROKEN if problem else OK, purpose, required, version, problem),
        install=line if problem else (),
        tried=check,
    )


def _import_problem(distribution: str) -> str | None:
    """Why a package cannot be imported, under the names that it brings."""
    names = [
        name for name, owners in metadata.packages_distributions().items() if distribution in owners
    ]
    for name in names:
        if name.startswith("_") or not name.isidentifier():
            continue
        try:
            import_module(name)
        except Exception as error:
            return f"import {name}: {type(error).__name__}: {error}"
    return None


def _interpreter() -> Finding:
    purpose = PROGRAMS["c++"].purpose
    try:
        version = metadata.version(INTERPRETER)
    except metadata.PackageNotFoundError:
        version = None
    try:
        check_installed()
    except MissingToolError as error:
        state = MISSING if version is None else BROKEN
        install = (error.hint.split(";")[0],) if error.hint else ()
        return Finding(
            *(INTERPRETER, "package", state, purpose, False, version, error.message), install
        )
    return Finding(INTERPRETER, "package", OK, purpose, version=version)


def _extras() -> Iterator[Finding]:
    """Extras of the scanlet package, each as one thing."""
    for extra, purpose in _EXTRAS.items():
        found = [_package(wanted, purpose, required=False) for wanted in _requirements(extra)]
        lacking = [one for one in found if one.state != OK]
        if not found:
            continue
        yield Finding(
            f"scanlet[{extra}]",
            "package",
            MISSING if lacking else OK,
            purpose,
            problem=", ".join(one.name for one in lacking) or None,
            install=(f"pip install 'scanlet[{extra}]'",) if lacking else (),
        )


def _programs() -> Iterator[Finding]:
    for program in counted(list(PROGRAMS.values()), "looking at programs"):
        install = tuple(how_to_get([program.name]))
        if shutil.which(program.name) is None:
            yield Finding(program.name, "program", MISSING, program.purpose, install=install)
            continue
        version, problem = _version(program.name)
        state = BROKEN if problem else OK
        yield Finding(
            *(program.name, "program", state, program.purpose, False, version, problem),
            install=install if problem else (),
        )


def _version(name: str) -> tuple[str | None, str | None]:
    """What a program says about its version, or why it does not."""
    try:
        done = subprocess.run(
            [name, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_SECONDS,
            check=False,
            env=os.environ | {"LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"does not start: {error}"
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        return None, f"exit status {done.returncode}{': ' + said[-1] if said else ''}"
    # Distributions put versions of packages in parentheses.
    found = _NUMBER.search(re.sub(r"\(.*?\)", "", done.stdout))
    return found[0] if found else done.stdout.strip()[:40], None


def _cores(check: bool) -> Iterator[Finding]:
    """Each emulated core: whether all its programs are there and, tried, whether they count."""
    for core in CORES.values():
        missing = [name for name in (*core.tools, "cc") if shutil.which(name) is None]
        purpose = f"--on {core.name}"
        if missing:
            yield Finding(
                *(core.name, "core", MISSING, purpose),
                problem=f"{', '.join(missing)} missing",
                install=tuple(how_to_get(missing)),
            )
            continue
        problem = None
        if check:
            step(f"counting a tiny program on {core.name}")
            problem = _problem_of(partial(_count_on, core.name))
        yield Finding(
            *(core.name, "core", BROKEN if problem else OK, purpose),
            problem=problem,
            tried=check,
        )


_TINY = """#include "scanlet_program.h"
int scanlet_main(void) {
  volatile float sum = 0.0f;
  scanlet_count_begin();
  for (int32_t i = 0; i < 8; ++i) sum += 0.5f;
  scanlet_count_end();
  const uint8_t answer = (uint8_t)sum;
  scanlet_emit(&answer, 1u);
  return 0;
}
"""


def _count_on(core: str) -> None:
    from scanlet.execution.emulation import measure

    result = measure(core, {"tiny.c": _TINY}, output_bytes=1)
    if result.output != b"\x04" or not 8 < result.instructions < 10_000:
        raise MissingToolError(
            f"a sum of 4 came out as {result.output[0]}, in {result.instructions} instructions"
        )


def _host() -> Finding:
    """Build a library of an operator and run a network in the interpreter, as verifying does."""
    step("running a tiny network on this machine")
    problem = _problem_of(_run_here)
    return Finding(
        *("this machine", "host", BROKEN if problem else OK, PROGRAMS["c++"].purpose),
        problem=problem,
        tried=True,
    )


_REGISTERER = """extern "C" __attribute__((visibility("default")))
bool SCANLET_HOST_REGISTERER(void*) { return true; }
"""


def _run_here() -> None:
    from scanlet.emit.flatbuffer import write_model
    from scanlet.execution.host import HostInterpreter, build_library
    from scanlet.graph import Graph, Source, Tensor, constant
    from scanlet.graph.operators import Linear

    library = build_library({"tiny.cc": _REGISTERER, "tiny.c": "int tiny;\n"}, name="tiny")
    x = Tensor("x", (1, 2), "float32")
    graph = Graph([x], [], [])
    weights = [constant("weight", np.eye(2, dtype=np.float32)), constant("bias", np.ones(2, "f"))]
    graph.outputs = [graph.add(Linear(), (x, *weights), name="y", source=Source("", "tiny:1"))]
    (found,) = HostInterpreter(write_model(graph, []), library).run(np.array([[2, 3]], np.float32))
    if not np.array_equal(found, [[3, 4]]):
        raise MissingToolError(f"[3, 4] came out as {found[0].tolist()}")


def _problem_of(action: Callable[[], None]) -> str | None:
    try:
        action()
    except ScanletError as error:
        return error.message
    except Exception as error:  # a tool that does not do its work may provoke anything
        return f"{type(error).__name__}: {error}"
    return None
