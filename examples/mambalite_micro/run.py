"""Compile the published MambaLite-Micro models and compare them with PyTorch on real test sets.

python -m examples.mambalite_micro.run --data FOLDER

For both networks, with scanlet's mixer and with mambapy's: label agreement, errors against
PyTorch and against float64, operators and flatbuffer size by sequence length, compile time.
"""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.table import Table
from torch import nn

import scanlet
from examples.comparison import Comparison, console, mean_error, run_pytorch, run_tflm
from examples.data_folder import data_folder
from examples.mambalite_micro.data import (
    HAR_CLASSES,
    KWS_CLASSES,
    WHERE_FROM,
    load_har,
    load_kws,
)
from examples.mambalite_micro.model import MIXERS, load_model

LENGTHS = (10, 100, 1000)


@dataclass(frozen=True)
class LabelledData:
    name: str
    weights: str
    labels: tuple[str, ...]
    x: np.ndarray  # (B, L, features)
    classes: np.ndarray  # (B,)


@dataclass(frozen=True)
class Result:
    """One network with one mixer; errors are means over all scores of the test set."""

    comparison: Comparison
    tflm_error: float  # against a float64 run
    pytorch_error: float  # against a float64 run
    compile_seconds: float
    compiled: scanlet.Compiled

    @property
    def error_ratio(self) -> float:
        return self.tflm_error / self.pytorch_error


def compile_model(
    model: nn.Module, test: LabelledData, length: int, target: str
) -> scanlet.Compiled:
    example = torch.from_numpy(np.resize(test.x[0], (1, length, test.x.shape[2])))
    return scanlet.compile(
        model, (example,), target=target, name=test.name, labels=test.labels, progress=False
    )


def evaluate(model: nn.Module, test: LabelledData, target: str) -> Result:
    start = time.perf_counter()
    compiled = compile_model(model, test, test.x.shape[1], target)
    seconds = time.perf_counter() - start
    # One recording at a time, as on the device: PyTorch's rounding depends on the batch.
    single = run_pytorch(model, test.x, batch=1)
    exact = run_pytorch(copy.deepcopy(model).double(), test.x)
    comparison = Comparison(single, run_tflm(compiled, test.x), test.classes)
    return Result(
        comparison=comparison,
        tflm_error=mean_error(comparison.tflm, exact),
        pytorch_error=mean_error(single, exact),
        compile_seconds=seconds,
        compiled=compiled,
    )


def print_results(test: LabelledData, results: dict[str, Result]) -> None:
    table = Table(title=f"{test.name}: {len(test.x)} recordings", title_justify="left")
    table.add_column("mixer")
    for mixer in results:
        table.add_column(mixer, justify="right")
    rows = {
        "accuracy in PyTorch": lambda r: f"{100 * r.comparison.pytorch_accuracy:.2f} %",
        "accuracy in TFLM": lambda r: f"{100 * r.comparison.tflm_accuracy:.2f} %",
        "same label as PyTorch": lambda r: f"{100 * r.comparison.agreement:.2f} %",
        "mean error against PyTorch": lambda r: f"{r.comparison.mean_error:.2e}",
        "largest error against PyTorch": lambda r: f"{r.comparison.max_error:.2e}",
        "mean error of TFLM against float64": lambda r: f"{r.tflm_error:.2e}",
        "mean error of PyTorch against float64": lambda r: f"{r.pytorch_error:.2e}",
        "ratio of the two": lambda r: f"{r.error_ratio:.2f}",
        "compile time": lambda r: f"{r.compile_seconds:.1f} s",
    }
    for name, cell in rows.items():
        table.add_row(name, *(cell(result) for result in results.values()))
    console.print(table)


def print_lengths(test: LabelledData, model: nn.Module, target: str) -> None:
    table = Table(title=f"{test.name} by sequence length", title_justify="left")
    for column in ("L", "operators", "flatbuffer", "arena on this machine"):
        table.add_column(column, justify="right")
    for length in LENGTHS:
        compiled = compile_model(model, test, length, target)
        table.add_row(
            str(length),
            str(len(compiled.description.operators)),
            f"{len(compiled.tflite)} bytes",
            f"{compiled.allocations.total} bytes",
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.mambalite_micro.run", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", help="folder with weights and test sets; default: SCANLET_DATA")
    parser.add_argument("--limit", type=int, help="run only every n-th recording, about this many")
    parser.add_argument("--target", default="esp32s3")
    arguments = parser.parse_args()
    folder = data_folder(arguments.data, WHERE_FROM)

    har, kws = load_har(folder), load_kws(folder)
    tests = (
        LabelledData(
            "har", "mambalite_micro_har_weights.npz", HAR_CLASSES, *_thin(har, arguments.limit)
        ),
        LabelledData(
            "kws3", "mambalite_micro_kws3_weights.npz", KWS_CLASSES, *_thin(kws, arguments.limit)
        ),
    )
    # Operator libraries that were built before would make compiling look faster than it is.
    with tempfile.TemporaryDirectory() as caches:
        for test in tests:
            measure(test, folder, arguments.target, Path(caches))


def measure(test: LabelledData, folder: Path, target: str, caches: Path) -> None:
    models = {name: load_model(folder / test.weights, make) for name, make in MIXERS.items()}
    results = {}
    for i, (name, model) in enumerate(models.items()):
        os.environ["XDG_CACHE_HOME"] = str(caches / test.name / str(i))
        results[name] = evaluate(model, test, target)
    print_results(test, results)
    print_lengths(test, next(iter(models.values())), target)


def _thin(data: tuple[np.ndarray, np.ndarray], limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    step = max(1, len(data[0]) // limit) if limit else 1
    return data[0][::step], data[1][::step]


if __name__ == "__main__":
    main()
