"""Train the keyword spotter on Speech Commands: python -m examples.keyword_spotting.train

Writes weights.pt and normalization.npz beside this file. Validation clips choose the epoch; the
test clips are looked at by run.py alone.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples.comparison import console, run_pytorch
from examples.data_folder import data_folder
from examples.keyword_spotting.augment import augmented_copy, noise_features
from examples.keyword_spotting.data import SILENCE, WHERE_FROM, TrainingData, load_training
from examples.keyword_spotting.features import CHANNELS, FRAMES, SCALE, features
from examples.keyword_spotting.model import KeywordSpotter

FOLDER = Path(__file__).parent
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.keyword_spotting.train", description=__doc__
    )
    parser.add_argument("--data", help="folder of the recordings; default: SCANLET_DATA")
    parser.add_argument("--epochs", type=int, default=95)
    parser.add_argument("--copies", type=int, default=14, help="augmented copies of the data")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    data = load_training(data_folder(arguments.data, WHERE_FROM))
    model, mean, std = train(data, arguments.epochs, arguments.copies)
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), arguments.output / "weights.pt")
    np.savez(arguments.output / "normalization.npz", mean=mean, std=std)
    console.print(f"Weights written to {arguments.output}", soft_wrap=True)


def train(
    data: TrainingData, epochs: int, copies: int
) -> tuple[KeywordSpotter, np.ndarray, np.ndarray]:
    """The model of the best validation epoch, and the mean and deviation (40,) of its input."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    started = time.monotonic()
    validation_x, validation_y = validation_set(data)
    drawn = [_compact(*augmented_copy(data, rng)) for _ in range(min(copies, epochs))]
    console.print(f"{len(drawn)} augmented copies after {time.monotonic() - started:.0f} s")
    mean = (SCALE * drawn[0][0].mean((0, 1))).astype(np.float32)
    std = (SCALE * drawn[0][0].std((0, 1))).astype(np.float32)

    model = KeywordSpotter()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    steps = epochs * -(-len(drawn[0][0]) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=4e-3, total_steps=steps, pct_start=0.1
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    best, best_state = -1.0, model.state_dict()
    for epoch in range(epochs):
        x, y = drawn[epoch % len(drawn)]
        model.train()
        losses = []
        for chosen in torch.randperm(len(x)).split(BATCH):
            batch = (x[chosen.numpy()] * np.float32(SCALE) - mean) / std
            loss = loss_of(model(masked(torch.from_numpy(batch))), torch.from_numpy(y)[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        scores = run_pytorch(model.eval(), (validation_x - mean) / std, batch=256)
        accuracy = float((scores.argmax(1) == validation_y).mean())
        console.print(
            f"epoch {epoch + 1:2}/{epochs}: loss {np.mean(losses):.3f}, "
            f"validation accuracy {100 * accuracy:.1f} %, {time.monotonic() - started:.0f} s"
        )
        if accuracy >= best:
            best = accuracy
            best_state = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best_state)
    return model.eval(), mean, std


def validation_set(data: TrainingData) -> tuple[np.ndarray, np.ndarray]:
    """The official validation clips as they are, and silence as often as one word."""
    rng = np.random.default_rng(1)
    silent = len(data.validation.audio) // 6
    silence = [noise_features(data.validation_noise, rng) for _ in range(silent)]
    return (
        np.concatenate([features(data.validation.audio), silence]),
        np.concatenate([data.validation.classes, np.full(silent, SILENCE)]),
    )


def masked(x: torch.Tensor) -> torch.Tensor:
    """Without two stretches of frames and two of channels: SpecAugment (arXiv:1904.08779)."""
    x = x.clone()
    for axis, length, longest in ((1, FRAMES, 8), (2, CHANNELS, 4)):
        for _ in range(2):
            width = torch.randint(0, longest + 1, (len(x), 1))
            start = (torch.rand(len(x), 1) * (length - width)).long()
            places = torch.arange(length)
            hidden = (places >= start) & (places < start + width)
            x = x.masked_fill(hidden.unsqueeze(3 - axis), 0.0)
    return x


def _compact(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.round(x / SCALE).astype(np.uint16), y  # what the frontend's C returns


if __name__ == "__main__":
    main()
