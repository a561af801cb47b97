"""Fuzzing of the flatbuffer validator, and what becomes of the files that pass it.

The interpreter validates little: whatever the validator lets through runs in a worker. A worker
that dies, or a host side that fails with anything but a ScanletError, is a finding as much as a
validator that does.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from fuzz_engine import Finding, FuzzRun, corpus
from validator_seeds import Seed, seeds

from scanlet.cli.tables import inspection, print_inspection
from scanlet.emit.flatbuffer_reader import validate
from scanlet.emit.validation.selective import check_component
from scanlet.errors import ExecutionError, ScanletError
from scanlet.execution.host import HostInterpreter, build_library

NAME = "validator"
HERE = Path(__file__).parent
#: Of all inputs, those that are not guided by coverage but by what the validator says.
PLAIN_SHARE = 0.2
#: A survivor may take so long: its loops are as long as its tensors.
RUN_SECONDS = 20.0
#: How an ExecutionError tells of a worker's death.
DEATH = re.compile(r"the interpreter (crashed|was killed|took longer)")
_EXECUTED = re.compile(r"^stat::number_of_executed_units:\s*(\d+)$", re.M)
_COVERED = re.compile(r"\bcov: (\d+) ft: (\d+)")


@functools.cache
def known_seeds() -> list[Seed]:
    return seeds()


def fuzz_damage(runs: int, survivors: int = 2000) -> FuzzRun:
    """`runs` damaged files through the validator, at most `survivors` of those that pass on."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "seeds").mkdir()
        for seed in known_seeds():
            (folder / "seeds" / seed.name).write_bytes(seed.tflite)
        for path in corpus(NAME):
            (folder / "seeds" / f"corpus-{path.name}").write_bytes(path.read_bytes())
        has_atheris = importlib.util.find_spec("atheris") is not None
        unguided = int(runs * PLAIN_SHARE) if has_atheris else runs
        log, executed, edges, features = "", 0, 0, 0
        for count, how in ((runs - unguided, []), (unguided, ["--plain"])):
            if not count:
                continue
            said = _fuzz(folder, count, how)
            log += said
            executed += sum(map(int, _EXECUTED.findall(said)))
            if not how:
                covered = _COVERED.findall(said)
                edges = max((int(number) for number, _ in covered), default=0)
                features = max((int(number) for _, number in covered), default=0)
        found = sorted((folder / "found").iterdir())
        finding = None
        if found:
            told = folder / "log"
            words = told.read_text("utf-8") if told.is_file() else log
            finding = Finding(words.strip().splitlines()[-1], found[0].read_bytes(), words)
        passed = sorted((folder / "survivors").iterdir())
        # Spread over both ways of finding them: names are digests.
        outcomes: Counter[str] = Counter()
        for path in passed[:survivors]:
            if finding is not None:
                break
            outcome, finding = fate(path.read_bytes())
            outcomes[outcome] += 1
    told = ", ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
    return FuzzRun(
        target=NAME,
        executions=executed,
        seconds=time.perf_counter() - start,
        edges=edges,
        features=features,
        printed=f"{len(passed)} passed the validator; in the worker: {told or 'none'}",
        finding=finding,
    )


def fate(data: bytes) -> tuple[str, Finding | None]:
    """What becomes of a file: refused, or run; and a finding where that is not all."""
    try:
        with tempfile.TemporaryDirectory() as made, contextlib.redirect_stdout(io.StringIO()):
            path = Path(made) / "m.tflite"
            path.write_bytes(data)
            print_inspection(inspection(path))
        model = validate(data, sealed=True)
    except ScanletError:
        return "refused by the validator", None
    except Exception as error:
        return "inspect fails", Finding(f"inspect: {error!r}", data, repr(error))
    seed = _whose(data)
    if seed is None:
        return "of no component", None
    library = build_library(seed.component, name=seed.name) if seed.component else None
    rng = np.random.default_rng(0)
    try:
        interpreter = HostInterpreter(data, library, run_seconds=RUN_SECONDS)
        inputs = [_values(tensor.shape, tensor.dtype, rng) for tensor in model.inputs]
        interpreter.run_all([inputs] * 2)
        interpreter.reset()
        interpreter.run(*inputs)
    except ExecutionError as error:
        if DEATH.search(error.message):
            return "dies", Finding(error.message, data, str(error))
        return "refused by the interpreter", None
    except ScanletError:
        return "refused", None
    except Exception as error:
        return "host fails", Finding(f"host: {error!r}", data, repr(error))
    return "ran", None


def _whose(data: bytes) -> Seed | None:
    """The seed whose operator has all of the file's layers, as a project's has."""
    model = validate(data)
    for seed in known_seeds():
        if any(op.custom for op in model.operators) and not seed.component:
            continue
        try:
            check_component(model, seed.component)
        except ScanletError:
            continue
        return seed
    return None


def _values(shape: Iterable[int], dtype: str, rng: np.random.Generator) -> np.ndarray:
    shape = tuple(shape)
    if dtype == "float32":
        return rng.standard_normal(shape).astype(np.float32)
    if dtype in ("int8", "int16"):
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    return np.zeros(shape, dtype)


def _fuzz(folder: Path, runs: int, how: list[str]) -> str:
    command = [sys.executable, str(HERE / "validator_fuzzer.py"), str(folder), str(runs), *how]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=environment, check=False
    )
    return done.stdout + done.stderr
