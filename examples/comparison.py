"""What all examples do with a compiled classifier: run it beside PyTorch and print both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn

import scanlet

#: Wide enough for the tables, also where the output is a file.
console = Console(width=max(Console().width, 100))


@dataclass(frozen=True)
class Comparison:
    """Class scores of the same recordings from PyTorch and from TFLM, both (B, classes)."""

    pytorch: np.ndarray
    tflm: np.ndarray
    classes: np.ndarray  # (B,) true class indices

    @property
    def pytorch_accuracy(self) -> float:
        return float((self.pytorch.argmax(1) == self.classes).mean())

    @property
    def tflm_accuracy(self) -> float:
        return float((self.tflm.argmax(1) == self.classes).mean())

    @property
    def agreement(self) -> float:
        """Share of the recordings that get the same label from both."""
        return float((self.pytorch.argmax(1) == self.tflm.argmax(1)).mean())

    @property
    def mean_error(self) -> float:
        return mean_error(self.tflm, self.pytorch)

    @property
    def max_error(self) -> float:
        return float(np.abs(self.tflm.astype(np.float64) - self.pytorch).max())


def mean_error(outputs: np.ndarray, reference: np.ndarray) -> float:
    """Mean absolute difference, computed in float64."""
    return float(np.abs(outputs.astype(np.float64) - reference.astype(np.float64)).mean())


def run_pytorch(model: nn.Module, x: np.ndarray, batch: int = 64) -> np.ndarray:
    """Class scores (B, classes) of x (B, L, features), in the type of the model's parameters."""
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        return np.concatenate(
            [
                model(torch.from_numpy(x[i : i + batch]).to(dtype)).numpy()
                for i in range(0, len(x), batch)
            ]
        )


def run_tflm(compiled: scanlet.Compiled, x: np.ndarray, batch: int = 64) -> np.ndarray:
    """Class scores (B, classes) of x (B, L, features) from the TFLM interpreter."""
    starts = track(
        range(0, len(x), batch),
        f"Running {len(x)} recordings in TFLM",
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    return np.concatenate([compiled.run(x[start : start + batch]) for start in starts])


def print_comparison(title: str, comparison: Comparison) -> None:
    """Accuracy side by side, label agreement and errors of the class scores."""
    count = len(comparison.classes)
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column("PyTorch", justify="right")
    table.add_column("TFLM", justify="right")
    table.add_row(
        "accuracy",
        _share(comparison.pytorch_accuracy, count),
        _share(comparison.tflm_accuracy, count),
    )
    table.add_row("same label as PyTorch", "", _share(comparison.agreement, count))
    table.add_row("mean error of the scores", "", f"{comparison.mean_error:.2e}")
    table.add_row("largest error", "", f"{comparison.max_error:.2e}")
    console.print(table)


def _share(share: float, count: int) -> str:
    return f"{100 * share:.2f} % ({round(share * count)}/{count})"


def print_compiled(compiled: scanlet.Compiled) -> None:
    """What the compiler made: operators and sizes."""
    report = compiled.report
    arena = report["arena"]
    operators = [operator["name"] for operator in report["operators"]]
    table = Table(title=f"{compiled.name} for {compiled.target.name}", title_justify="left")
    table.add_column("")
    table.add_column("compiled model")
    table.add_row("operators", f"{len(operators)}: {', '.join(operators)}")
    table.add_row("flatbuffer", f"{report['sizes']['flatbuffer_bytes']:,} bytes")
    table.add_row("weights in it", f"{report['sizes']['weights_bytes']:,} bytes")
    table.add_row(
        "tensor arena",
        f"{arena['needed_bytes']:,} bytes: {arena['tensors']:,} tensors, "
        f"{arena['scratch']:,} scratch, {arena['persistent']:,} persistent, "
        f"{arena['structures']:,} the interpreter's",
    )
    console.print(table)
