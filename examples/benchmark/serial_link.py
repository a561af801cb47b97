"""Inferences over a damaged line: python -m examples.benchmark.serial_link.

A streamed model and one that sees a whole sequence are built for this machine and served behind a
pseudo-terminal. The line damages frames in both directions; every answer is compared with the
interpreter's, and the board's own count says whether any request was lost or carried out twice.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import scanlet
from examples.benchmark.serial_faults import Faults, Line
from scanlet.nn import MambaMixer

FEATURES, STEPS, CHUNK = 8, 12, 4


class Classifier(nn.Module):
    """Scores of three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.mixer = MambaMixer(FEATURES, d_state=4, d_conv=4)
        self.head = nn.Linear(FEATURES, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(x).mean(dim=1))


def compile_served(mode: str, target: str = "generic") -> scanlet.Compiled:
    """A small integer model with weights that make its outputs differ between samples."""
    torch.manual_seed(7)
    model = Classifier().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.0)
    samples = [2.0 * torch.randn(1, STEPS, FEATURES) for _ in range(16)]
    return scanlet.compile(
        model,
        samples[0],
        target=target,
        precision="int8",
        mode=mode,
        chunk=CHUNK if mode == "stream" else None,
        pooling="exponential:8" if mode == "stream" else None,
        calibration_data=samples,
        name="served",
        labels=("walk", "run", "stand"),
        progress=False,
    )


def build_server(compiled: scanlet.Compiled, folder: Path) -> Path:
    """The program of a project of target generic that serves on standard input and output."""
    project = compiled.save(folder / "project")
    sources = [*project.glob("library/**/*.c"), *project.glob("self_test/*.c")]
    sources += [*project.glob("server/*.c"), project / "main" / "serve.c"]
    includes = [f"-I{project / name}" for name in ("library", "self_test", "server")]
    program = folder / "serve"
    flags = ["-std=c11", "-O2", "-ffp-contract=off"]
    subprocess.run(["gcc", *flags, *includes, *map(str, sources), "-o", str(program)], check=True)
    return program


def over_a_line(
    compiled: scanlet.Compiled,
    program: Sequence[str | Path],
    count: int,
    faults: Faults,
    seed: int = 0,
) -> dict[str, Any]:
    """`count` inferences, in stream mode of one long stream; what was wrong, and what it took."""
    steps = compiled.inputs[0].shape[1]
    inputs = 2.0 * np.random.default_rng(seed).standard_normal((count, 1, steps, FEATURES))
    stored = [compiled.stored_inputs([x.astype(np.float32)])[0] for x in inputs]
    compiled.reset()
    expected = [compiled.run_raw(x) for x in stored]
    with (
        Line(program, faults, seed) as line,
        scanlet.Device(line.port, timeout=0.1, tries=20) as board,
    ):
        begin = time.perf_counter()
        found = [board.run_raw(x) for x in stored]
        seconds = time.perf_counter() - begin
        statistics = board.statistics()
        frames = line.to_board.frames + line.to_host.frames
        damage = line.to_board.counts + line.to_host.counts
    return {
        "mode": compiled.mode,
        "inferences": count,
        "wrong": sum(f.tobytes() != e.tobytes() for f, e in zip(found, expected, strict=True)),
        "carried_out": statistics["inferences"],
        "seconds": round(seconds, 1),
        "frames": frames,
        "faults": {name: n for name, n in sorted(damage.items()) if name != "untouched"},
        **{key: statistics["link"][key] for key in ("sent_again", "timeouts", "stale_answers")},
        **{key: statistics[key] for key in ("repeated", "damaged_headers", "damaged_payloads")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inferences", type=int, default=10_000)
    parser.add_argument("--corrupt", type=float, default=0.01, help="share of frames")
    parser.add_argument("-o", "--output", type=Path, help="also write the figures here, as JSON")
    arguments = parser.parse_args()
    faults = Faults(corrupt=arguments.corrupt)
    rows = []
    for mode in ("sequence", "stream"):
        compiled = compile_served(mode)
        with tempfile.TemporaryDirectory() as folder:
            program = build_server(compiled, Path(folder))
            row = over_a_line(compiled, [program], arguments.inferences, faults)
        lost = row["inferences"] - row["carried_out"]
        print(
            f"{mode}: {row['inferences']:,} inferences in {row['seconds']} s, {row['frames']:,} "
            f"frames, {row['faults'].get('corrupt', 0)} corrupted; {row['wrong']} wrong, "
            f"{max(lost, 0)} lost, {max(-lost, 0)} carried out twice; "
            f"{row['sent_again']} sent again, {row['repeated']} answered again"
        )
        rows.append(row)
    if arguments.output is not None:
        shown = {"faults": asdict(faults), "rows": rows}
        arguments.output.write_text(json.dumps(shown, indent=2) + "\n")


if __name__ == "__main__":
    main()
