"""Compile the trained classifier and run all test recordings in the real TFLM interpreter.

This is what `make demo` runs: python -m examples.basic_motions.run
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import scanlet
from examples.basic_motions.data import CLASSES, load
from examples.basic_motions.model import create
from examples.comparison import (
    Comparison,
    console,
    print_comparison,
    print_compiled,
    run_pytorch,
    run_tflm,
)
from examples.data_folder import CHECKOUT

FOLDER = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.basic_motions.run",
        description="Compile the trained classifier and run all test recordings in TFLM.",
    )
    parser.add_argument("--target", default="esp32s3")
    parser.add_argument(
        "-o", "--output", type=Path, default=CHECKOUT / "build" / "demo" / "basic_motions"
    )
    arguments = parser.parse_args()

    model = create()
    model.load_state_dict(torch.load(FOLDER / "weights.pt", weights_only=True))
    statistics = np.load(FOLDER / "normalization.npz")
    mean, std = statistics["mean"], statistics["std"]
    recordings, classes = load("TEST")

    training = [recording[np.newaxis] for recording in load("TRAIN")[0]]
    pytorch = run_pytorch(model, (recordings - mean) / std)

    def compile_to(precision: str, output: Path | None) -> scanlet.Compiled:
        return scanlet.compile(
            model,
            target=arguments.target,
            precision=precision,
            name="basic_motions",
            labels=CLASSES,
            normalization=(mean, std),  # the compiled model takes the sensors' raw values
            calibration_data=training,
            output_dir=output,
        )

    compiled = compile_to("float32", arguments.output)
    print_compiled(compiled)
    print_comparison(
        f"BasicMotions, {len(classes)} test recordings",
        Comparison(pytorch, run_tflm(compiled, recordings), classes),
    )
    console.print(f"Project written to {arguments.output}", soft_wrap=True)

    small = compile_to("int8", None)
    comparison = Comparison(pytorch, run_tflm(small, recordings), classes)
    console.print(
        f"The same in int8, calibrated on the {len(training)} training recordings: "
        f"accuracy {100 * comparison.tflm_accuracy:.2f} %, "
        f"same label as PyTorch {100 * comparison.agreement:.2f} %, "
        f"flatbuffer {len(small.tflite):,} bytes",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
