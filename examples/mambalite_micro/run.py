"""Compile the published MambaLite-Micro models and compare them with PyTorch on real test sets.

python -m examples.mambalite_micro.run --data FOLDER

For both networks, in float32 with scanlet's mixer and with mambapy's: label agreement, errors
against PyTorch and against float64, operators and flatbuffer size by sequence length, compile
time. In int8 and int16x8, calibrated on 500 training samples: accuracy, what it lost against
PyTorch in float32, label agreement, flatbuffer size, and the time of calibration and compilation.
"""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
import time
from collections.abc import Sequence
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
    load_har_calibration,
    load_kws,
    load_kws_calibration,
)
from examples.mambalite_micro.model import MIXERS, load_model
from examples.precisions import (
    PRECISIONS,
    Bar,
    Evaluation,
    add_precision_option,
    print_precisions,
    spread,
)

LENGTHS = (10, 100, 1000)
CALIBRATION_SAMPLES = 500
SIZE = 61_440  # bytes of flatbuffer
BARS = {
    "har": {
        "int8": Bar(drop=0.2, agreement=99.0, flatbuffer=SIZE),
        "int16x8": Bar(drop=0.1, agreement=99.8, flatbuffer=SIZE),
    },
    "kws3": {
        "int8": Bar(drop=0.3, agreement=98.5, flatbuffer=SIZE, seconds=60),
        "int16x8": Bar(drop=0.3, agreement=99.5, flatbuffer=SIZE, seconds=60),
    },
}


@dataclass(frozen=True)
class LabelledData:
    name: str
    weights: str
    labels: tuple[str, ...]
    x: np.ndarray  # (B, L, features)
    classes: np.ndarray  # (B,)
    calibration: np.ndarray  # (samples, L, features) of the training set


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
    model: nn.Module, test: LabelledData, length: int, target: str, precision: str = "float32"
) -> scanlet.Compiled:
    example = torch.from_numpy(np.resize(test.x[0], (1, length, test.x.shape[2])))
    calibration = None if precision == "float32" else [x[np.newaxis] for x in test.calibration]
    return scanlet.compile(
        model,
        (example,),
        target=target,
        precision=precision,
        calibration_data=calibration,
        name=test.name,
        labels=test.labels,
        progress=False,
    )


def evaluate(model: nn.Module, test: LabelledData, target: str) -> Result:
    """One network in float32."""
    one = evaluate_precision(model, test, pytorch_scores(model, test), target, "float32")
    exact = run_pytorch(copy.deepcopy(model).double(), test.x)
    return Result(
        comparison=one.comparison,
        tflm_error=mean_error(one.comparison.tflm, exact),
        pytorch_error=mean_error(one.comparison.pytorch, exact),
        compile_seconds=one.seconds,
        compiled=one.compiled,
    )


def pytorch_scores(model: nn.Module, test: LabelledData) -> np.ndarray:
    """One recording at a time, as on the device: PyTorch's rounding depends on the batch."""
    return run_pytorch(model, test.x, batch=1)


def evaluate_precision(
    model: nn.Module, test: LabelledData, pytorch: np.ndarray, target: str, precision: str
) -> Evaluation:
    """One network at one precision, beside PyTorch's scores."""
    start = time.perf_counter()
    compiled = compile_model(model, test, test.x.shape[1], target, precision)
    seconds = time.perf_counter() - start
    comparison = Comparison(pytorch, run_tflm(compiled, test.x), test.classes)
    return Evaluation(comparison, compiled, seconds)


def print_results(test: LabelledData, results: dict[str, Result]) -> None:
    table = Table(title=f"{test.name}: {len(test.x)} recordings in float32", title_justify="left")
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
    parser.add_argument("--data", help="folder with weights and data; default: SCANLET_DATA")
    parser.add_argument("--limit", type=int, help="run about this many recordings of each test set")
    add_precision_option(parser, PRECISIONS)
    parser.add_argument("--target", default="esp32s3")
    arguments = parser.parse_args()
    folder = data_folder(arguments.data, WHERE_FROM)
    # Operator libraries that were built before would make compiling look faster than it is.
    with tempfile.TemporaryDirectory() as caches:
        for test in load_tests(folder, arguments.limit):
            measure(test, folder, arguments.target, arguments.precision, Path(caches))


def load_tests(folder: Path, limit: int | None = None) -> tuple[LabelledData, LabelledData]:
    """Both test sets, or about `limit` recordings of each."""

    def thinned(x: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = spread(len(x), limit or len(x))
        return x[chosen], classes[chosen]

    return (
        LabelledData(
            "har",
            "mambalite_micro_har_weights.npz",
            HAR_CLASSES,
            *thinned(*load_har(folder)),
            load_har_calibration(folder, CALIBRATION_SAMPLES),
        ),
        LabelledData(
            "kws3",
            "mambalite_micro_kws3_weights.npz",
            KWS_CLASSES,
            *thinned(*load_kws(folder)),
            load_kws_calibration(folder, CALIBRATION_SAMPLES),
        ),
    )


def measure(
    test: LabelledData, folder: Path, target: str, precisions: Sequence[str], caches: Path
) -> None:
    models = {name: load_model(folder / test.weights, make) for name, make in MIXERS.items()}
    own = next(iter(models.values()))
    if "float32" in precisions:
        results = {}
        for i, (name, model) in enumerate(models.items()):
            os.environ["XDG_CACHE_HOME"] = str(caches / test.name / str(i))
            results[name] = evaluate(model, test, target)
        print_results(test, results)
        print_lengths(test, own, target)
    integers = [precision for precision in precisions if precision != "float32"]
    if integers:
        os.environ["XDG_CACHE_HOME"] = str(caches / test.name / "integers")
        pytorch = pytorch_scores(own, test)
        print_precisions(
            f"{test.name}: {len(test.x)} recordings in integers, calibrated on "
            f"{len(test.calibration)} training samples",
            [evaluate_precision(own, test, pytorch, target, one) for one in integers],
            BARS[test.name],
        )


if __name__ == "__main__":
    main()
