"""Listen for the four words in a long recording, two frames (20 ms) at a time, in TFLM.

python -m examples.keyword_spotting.stream --data FOLDER

The trained network in stream mode; its mean over time becomes an exponential one. Without
recordings it listens to a few seconds of synthetic audio instead.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

import scanlet
from examples.comparison import console
from examples.data_folder import CHECKOUT
from examples.keyword_spotting import recording
from examples.keyword_spotting.data import CLASSES, WORDS, load_test, load_training
from examples.keyword_spotting.recording import Recording, Word, frames_of
from examples.keyword_spotting.run import find_recordings, load_model
from examples.keyword_spotting.stream_model import STEP_FRAMES, StreamingSpotter

#: Steps of 20 ms that the exponential mean looks back on: 0.6 s, about a word.
WINDOW = 30
#: A word is detected once its probability is at least this for so many steps in a row,
CONFIDENCE, IN_A_ROW = 0.9, 5
#: and not again for so many seconds.
PAUSE = 1.0
STEP_SECONDS = 0.01 * STEP_FRAMES
#: A detection belongs to a clip from its start until so many seconds later.
REACH = 1.4
CALIBRATION_SEQUENCES, CALIBRATION_FRAMES = 24, 400


@dataclass(frozen=True)
class Detection:
    """A word (index into WORDS), when it was detected, and how probable it was."""

    seconds: float
    word: int
    confidence: float


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.keyword_spotting.stream",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", help="folder of the recordings; default: SCANLET_DATA")
    parser.add_argument("--synthetic", action="store_true", help="run without recordings")
    parser.add_argument("--clips", type=int, default=200, help="test clips in the recording")
    parser.add_argument(
        "--precision", nargs="+", choices=("float32", "int8"), default=["float32", "int8"]
    )
    parser.add_argument("--target", default="esp32s3")
    parser.add_argument("--shown", type=int, default=12, help="detections to list")
    parser.add_argument(
        "-o", "--output", type=Path, default=CHECKOUT / "build" / "examples" / "keyword_stream"
    )
    arguments = parser.parse_args()

    folder = None if arguments.synthetic else find_recordings(arguments.data)
    if folder is None:
        heard = calibration = recording.synthetic()
        console.print("No recordings: synthetic audio, in which there is no word to be found.")
    else:
        test, training = load_test(folder), load_training(folder)
        every = max(1, len(test.audio) // arguments.clips)
        chosen = np.arange(len(test.audio)) % every == 0
        heard = recording.from_clips(test.where(chosen), training.validation_noise)
        some = np.arange(len(training.training.audio)) % 25 == 0
        calibration = recording.from_clips(
            training.training.where(some), training.training_noise, seed=1
        )
    for precision in arguments.precision:
        compiled = compile_stream(precision, calibration, arguments.target)
        compiled.save(arguments.output / precision)
        found = list(detections(scores(compiled, heard)))
        print_result(f"{heard.seconds:.0f} s of sound, {precision}", heard, found, arguments.shown)
    console.print(f"Projects written to {arguments.output}", soft_wrap=True)


def compile_stream(precision: str, calibration: Recording, target: str) -> scanlet.Compiled:
    """The trained network for chunks of one step, calibrated on sequences of the recording."""
    model, mean, std = load_model()
    frames = np.stack(list(frames_of(calibration.audio)))
    length = min(CALIBRATION_FRAMES, len(frames) // STEP_FRAMES * STEP_FRAMES)
    count = min(CALIBRATION_SEQUENCES, len(frames) // length)
    sequences = [frames[i * length : (i + 1) * length][np.newaxis] for i in range(count)]
    return scanlet.compile(
        StreamingSpotter(model, torch.from_numpy(mean), torch.from_numpy(std)).eval(),
        target=target,
        precision=precision,
        mode="stream",
        chunk=STEP_FRAMES,
        pooling=scanlet.ExponentialMean(WINDOW),
        calibration_data=sequences,
        name="keywords",
        labels=CLASSES,
    )


def scores(compiled: scanlet.Compiled, heard: Recording) -> Iterator[np.ndarray]:
    """The scores (6,) of each step, as the sound comes in."""
    compiled.reset()
    frames = frames_of(heard.audio)
    while len(step := list(islice(frames, STEP_FRAMES))) == STEP_FRAMES:
        yield compiled.run(np.stack(step)[np.newaxis])[0]


def detections(steps: Iterator[np.ndarray]) -> Iterator[Detection]:
    """Words that stay probable for some steps, at most one in each pause."""
    last_word, in_a_row, ready = -1, 0, 0.0
    for count, step in enumerate(steps, start=1):
        weights = np.exp(step - step.max())
        probabilities = weights / weights.sum()
        word = int(probabilities.argmax())
        sure = word < len(WORDS) and probabilities[word] >= CONFIDENCE
        in_a_row = in_a_row + 1 if sure and word == last_word else int(sure)
        last_word = word if sure else -1
        seconds = count * STEP_SECONDS
        if in_a_row >= IN_A_ROW and seconds >= ready:
            yield Detection(seconds, word, float(probabilities[word]))
            ready = seconds + PAUSE


def assign(words: tuple[Word, ...], found: list[Detection]) -> list[bool]:
    """Which detections are of a word that was said there; each word counts once."""
    left = [word for word in words if word.kind < len(WORDS)]
    right = []
    for detection in found:
        said = [
            word
            for word in left
            if word.kind == detection.word and 0 <= detection.seconds - word.start <= REACH
        ]
        right.append(bool(said))
        if said:
            left.remove(said[0])
    return right


def print_result(title: str, heard: Recording, found: list[Detection], shown: int) -> None:
    right = assign(heard.words, found)
    table = Table(title=f"{title}: the first detections", title_justify="left")
    for column in ("time", "word", "confidence", "said there"):
        table.add_column(column, justify="left" if column == "word" else "right")
    for detection, is_right in islice(zip(found, right, strict=True), shown):
        minutes, seconds = divmod(detection.seconds, 60)
        there = "yes" if is_right else "no"
        confidence = f"{detection.confidence:.2f}"
        table.add_row(f"{minutes:.0f}:{seconds:05.2f}", WORDS[detection.word], confidence, there)
    console.print(table)
    said = sum(word.kind < len(WORDS) for word in heard.words)
    hits, false = sum(right), len(found) - sum(right)
    rate = f"{hits} of {said} words detected" if said else "no words said"
    console.print(
        f"{title}: {rate}, {false} false alarms ({3600 * false / heard.seconds:.0f} an hour), "
        f"{len(heard.words) - said} other words said"
    )


if __name__ == "__main__":
    main()
