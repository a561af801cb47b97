"""What `scanlet device` prints for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from scanlet.execution.device.description import DeviceInfo
    from scanlet.execution.device.evaluation import BoardEvaluation

#: Outputs of this many calls are printed; the rest goes to --output.
_SHOWN = 20


def info_content(info: DeviceInfo) -> dict[str, Any]:
    """The description as JSON holds it."""
    return {
        **{key: getattr(info, key) for key in ("model", "model_sha256", "target", "runs")},
        **{key: getattr(info, key) for key in ("mode", "precision", "generator")},
        "labels": list(info.labels),
        **{
            kind: [
                {"name": t.name, "shape": list(t.shape), "dtype": t.dtype}
                | (
                    {"scale": t.quantization.scales[0], "zero_point": t.quantization.zero_points[0]}
                    if t.quantization
                    else {}
                )
                for t in tensors
            ]
            for kind, tensors in (("inputs", info.inputs), ("outputs", info.outputs))
        },
    }


def print_info(content: dict[str, Any]) -> None:
    table = Table.grid(padding=(0, 2))
    for key in ("model", "model_sha256", "target", "runs", "mode", "precision", "generator"):
        table.add_row(key, escape(str(content[key])))
    for kind in ("inputs", "outputs"):
        for tensor in content[kind]:
            shape = " x ".join(map(str, tensor["shape"]))
            stored = f", scale {tensor['scale']:.6g}" if "scale" in tensor else ""
            stored += f", zero point {tensor['zero_point']}" if "scale" in tensor else ""
            table.add_row(kind[:-1], escape(f"{tensor['name']}: {tensor['dtype']} {shape}{stored}"))
    if content["labels"]:
        table.add_row("classes", escape(", ".join(content["labels"])))
    Console().print(table)


def print_run(info: DeviceInfo, arrays: Sequence[np.ndarray], latencies: Sequence[int]) -> None:
    console = Console(highlight=False)
    rows = arrays[0].reshape(-1, arrays[0].shape[-1])
    for i, row in enumerate(rows[:_SHOWN]):
        winner = int(np.argmax(row))
        named = len(info.labels) == len(row)
        name = f"  {info.labels[winner]}" if named else ""
        console.print(escape(f"{i}: {np.array2string(row, precision=4, threshold=12)}{name}"))
    if len(rows) > _SHOWN:
        console.print(f"... and {len(rows) - _SHOWN} more")
    mean = sum(latencies) / len(latencies)
    console.print(f"{mean:.0f} us an inference, at most {max(latencies)} us")


def print_evaluation(result: BoardEvaluation, labels: Sequence[str]) -> None:
    console = Console(highlight=False)
    on_host = result.compared_with == "tflm-host"
    word = "[green]PASS[/green]" if result.passed else "[red]FAIL[/red]"
    console.print(
        f"{word} {result.equal} of {result.samples} samples have the same bits on the board and "
        + ("on this machine" if on_host else f"on the emulated {result.compared_with}")
    )
    table = Table.grid(padding=(0, 2))
    found, accepted = result.difference, result.accepted
    differences = []
    if result.integers:
        differences.append(f"{found.steps} steps ({accepted.steps} accepted)")
    if result.floats:
        differences.append(f"{found.error:.3g} ({accepted.error:.3g} accepted)")
    table.add_row("largest difference", ", ".join(differences))
    if result.differing:
        table.add_row("samples that differ", ", ".join(map(str, result.differing)))
    if result.accuracy_board is not None and result.accuracy_host is not None:
        table.add_row("accuracy on the board", f"{result.accuracy_board:.2%}")
        table.add_row(
            "accuracy on this machine" if on_host else "accuracy on the emulated core",
            f"{result.accuracy_host:.2%}",
        )
    table.add_row(
        "an inference",
        f"{result.latency_us_mean:,.0f} us on average, at most {result.latency_us_max:,} us",
    )
    link = result.statistics["link"]
    table.add_row(
        "on the line",
        f"{link['requests']} requests, {link['sent_again']} sent again; "
        f"{result.seconds:.1f} s in all",
    )
    console.print(table)
    if result.pairs:
        _print_classes(console, result, labels)


def print_statistics(found: dict[str, Any]) -> None:
    table = Table.grid(padding=(0, 2))
    for name, value in found.items():
        if name != "link":
            shown = "not known" if value is None else f"{value:,.0f}"
            table.add_row(name.replace("_", " "), shown)
    Console(highlight=False).print(table)


def _print_classes(console: Console, result: BoardEvaluation, labels: Sequence[str]) -> None:
    """A row a class: its samples, how many were found, what the others were taken for."""
    table = Table("class", "samples", "right", "taken for")
    present = sorted({expected for expected, _, _ in result.pairs})
    for label in present:
        found = [board for expected, board, _ in result.pairs if expected == label]
        wrong = {c: found.count(c) for c in sorted(set(found)) if c != label}
        named = [f"{_name(labels, c)} ({n})" for c, n in wrong.items()]
        table.add_row(
            escape(_name(labels, label)),
            str(len(found)),
            str(found.count(label)),
            escape(", ".join(named)),
        )
    console.print(table)


def _name(labels: Sequence[str], index: int) -> str:
    return labels[index] if index < len(labels) else str(index)
