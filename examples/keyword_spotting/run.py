"""Compile the trained keyword spotter and run the official test clips in the real TFLM interpreter.

python -m examples.keyword_spotting.run --data FOLDER

Without recordings it runs a few seconds of synthetic audio instead.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from rich.table import Table
from torch import nn

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
from examples.keyword_spotting.data import (
    CLASSES,
    WHERE_FROM,
    has_recordings,
    load_test,
    load_training,
    synthetic_audio,
)
from examples.keyword_spotting.features import features
from examples.keyword_spotting.model import create
from examples.precisions import (
    Bar,
    Evaluation,
    add_precision_option,
    print_precisions,
    spread,
)

FOLDER = Path(__file__).parent
DEFAULT_DATA = CHECKOUT.parent / "shared" / "data"
CALIBRATION_CLIPS = 300
BARS = {"int8": Bar(drop=0.3)}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.keyword_spotting.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", help="folder of the recordings; default: SCANLET_DATA")
    parser.add_argument("--synthetic", action="store_true", help="run without recordings")
    parser.add_argument("--limit", type=int, help="use about this many test clips")
    add_precision_option(parser, ("float32", "int8"))
    parser.add_argument("--target", default="esp32s3")
    parser.add_argument(
        "-o", "--output", type=Path, default=CHECKOUT / "build" / "examples" / "keyword_spotting"
    )
    arguments = parser.parse_args()

    model, mean, std = load_model()
    folder = None if arguments.synthetic else find_recordings(arguments.data)
    if folder is None:
        title = "6 seconds of synthetic audio"
        calibration = x = features(synthetic_audio())
        classes = None
    else:
        calibration = _calibration(folder)
        test = load_test(folder)
        test = test.where(spread(len(test.audio), arguments.limit or len(test.audio)))
        x, classes = features(test.audio), test.classes
        title = f"Speech Commands, {len(x)} test clips"
    pytorch = run_pytorch(model, (x - mean) / std)
    evaluations = []
    for precision in arguments.precision:
        output = arguments.output / precision
        start = time.perf_counter()
        compiled = scanlet.compile(
            model,
            target=arguments.target,
            precision=precision,
            name="keywords",
            labels=CLASSES,
            normalization=(mean, std),  # the compiled model takes the frontend's values
            calibration_data=[clip[np.newaxis] for clip in calibration],
            output_dir=output,
        )
        seconds = time.perf_counter() - start
        print_compiled(compiled)
        tflm = run_tflm(compiled, x)
        if classes is None:
            _print_synthetic(f"{title}, {precision}", pytorch, tflm)
        else:
            comparison = Comparison(pytorch, tflm, classes)
            print_comparison(f"{title}, {precision}", comparison)
            _print_classes(comparison)
            evaluations.append(Evaluation(comparison, compiled, seconds))
        console.print(f"Project written to {output}", soft_wrap=True)
    if evaluations:
        print_precisions(
            f"{title}; calibrated on {len(calibration)} training clips", evaluations, BARS
        )


def load_model() -> tuple[nn.Module, np.ndarray, np.ndarray]:
    """The trained network, and the mean and deviation (40,) that its input is normalized with."""
    model = create()
    model.load_state_dict(torch.load(FOLDER / "weights.pt", weights_only=True))
    statistics = np.load(FOLDER / "normalization.npz")
    return model, statistics["mean"], statistics["std"]


def find_recordings(given: str | None) -> Path | None:
    """The folder that was asked for, or the default one if there are recordings in it."""
    if given or "SCANLET_DATA" in os.environ:
        return data_folder(given, WHERE_FROM)
    return DEFAULT_DATA if has_recordings(DEFAULT_DATA) else None


def _calibration(folder: Path) -> np.ndarray:
    """Features of training clips from all over the list, all words among them."""
    audio = load_training(folder).training.audio
    return features(audio[spread(len(audio), CALIBRATION_CLIPS)])


def _print_synthetic(title: str, pytorch: np.ndarray, tflm: np.ndarray) -> None:
    comparison = Comparison(pytorch, tflm, pytorch.argmax(1))
    console.print(
        f"{title}: same label in TFLM and PyTorch {100 * comparison.agreement:.2f} %, "
        f"mean error of the scores {comparison.mean_error:.2e}, "
        f"largest {comparison.max_error:.2e}"
    )
    console.print("No speech was heard, so this says nothing about accuracy: give --data for that.")


def _print_classes(comparison: Comparison) -> None:
    table = Table(title="Clips recognised, class by class", title_justify="left")
    for title in ("class", "clips", "PyTorch", "TFLM"):
        table.add_column(title, justify="left" if title == "class" else "right")
    for index, name in enumerate(CLASSES):
        chosen = comparison.classes == index
        shares = [
            f"{100 * (scores[chosen].argmax(1) == index).mean():.2f} %" if chosen.any() else ""
            for scores in (comparison.pytorch, comparison.tflm)
        ]
        table.add_row(name, str(chosen.sum()), *shares)
    console.print(table)


if __name__ == "__main__":
    main()
