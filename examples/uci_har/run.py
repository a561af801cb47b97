"""Train a Mamba on UCI HAR's raw windows, compile it, and run the whole test set in TFLM.

python -m examples.uci_har.run --data FOLDER
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import scanlet
from examples.comparison import (
    Comparison,
    console,
    print_comparison,
    print_compiled,
    run_pytorch,
    run_tflm,
)
from examples.data_folder import CHECKOUT, data_folder
from examples.precisions import (
    Bar,
    Evaluation,
    add_precision_option,
    print_precisions,
    spread,
)
from examples.uci_har.data import CLASSES, WHERE_FROM, Windows, load
from examples.uci_har.train import train

CALIBRATION_WINDOWS = 500
BARS = {"int8": Bar(drop=0.3)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.uci_har.run", description=__doc__)
    parser.add_argument("--data", help="folder of the data set; default: SCANLET_DATA")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--limit", type=int, help="use every n-th window, about this many a split")
    add_precision_option(parser, ("float32", "int8"))
    parser.add_argument("--target", default="esp32s3")
    parser.add_argument(
        "-o", "--output", type=Path, default=CHECKOUT / "build" / "examples" / "uci_har"
    )
    arguments = parser.parse_args()

    training, test = load(data_folder(arguments.data, WHERE_FROM))
    if arguments.limit:
        training, test = _thin(training, arguments.limit), _thin(test, arguments.limit)
    console.print(
        f"Training on {len(training.x)} windows of {len(set(training.subject))} people, "
        f"testing on {len(test.x)} of {len(set(test.subject))} others."
    )
    model, mean, std = train(training, arguments.epochs)
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), arguments.output / "weights.pt")
    np.savez(arguments.output / "normalization.npz", mean=mean, std=std)

    pytorch = run_pytorch(model, (test.x - mean) / std)
    calibration = training.x[spread(len(training.x), CALIBRATION_WINDOWS)]
    evaluations = []
    for precision in arguments.precision:
        start = time.perf_counter()
        compiled = scanlet.compile(
            model,
            target=arguments.target,
            precision=precision,
            name="uci_har",
            labels=CLASSES,
            normalization=(mean, std),  # the compiled model takes the sensors' values
            calibration_data=[window[np.newaxis] for window in calibration],
            output_dir=arguments.output / "project" / precision,
        )
        seconds = time.perf_counter() - start
        comparison = Comparison(pytorch, run_tflm(compiled, test.x), test.y)
        print_compiled(compiled)
        print_comparison(f"UCI HAR, {len(test.x)} test windows, {precision}", comparison)
        evaluations.append(Evaluation(comparison, compiled, seconds))
    print_precisions(
        f"Calibrated on {len(calibration)} training windows, against PyTorch in float32",
        evaluations,
        BARS,
    )
    console.print(f"Weights and projects written to {arguments.output}", soft_wrap=True)
    console.print("UCI HAR forbids commercial use; so do weights that were trained on it.")


def _thin(windows: Windows, limit: int) -> Windows:
    return windows.where(np.arange(len(windows.x)) % max(1, len(windows.x) // limit) == 0)


if __name__ == "__main__":
    main()
