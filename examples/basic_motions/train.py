"""Train the classifier on the 40 training recordings: python -m examples.basic_motions.train

Writes weights.pt and normalization.npz beside this file. The recipe is fixed beforehand and the
test recordings are looked at once, at the end.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import nn

from examples.basic_motions.data import load
from examples.basic_motions.model import MotionClassifier

FOLDER = Path(__file__).parent
EPOCHS = 120
BATCH = 20


def augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Vary what differs from watch to watch: where it starts, its gain, its noise. (B, L, F)"""
    batch, steps, channels = x.shape
    shift = int(torch.randint(0, steps, (1,), generator=generator))
    gain = 1 + 0.1 * torch.randn(batch, 1, channels, generator=generator)
    noise = 0.05 * torch.randn(x.shape, generator=generator)
    return x.roll(shift, dims=1) * gain + noise


def train(epochs: int = EPOCHS) -> tuple[MotionClassifier, np.ndarray, np.ndarray]:
    """The trained model, and the mean and the deviation (6,) that its input is normalized with."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    recordings, labels = load("TRAIN")
    mean, std = recordings.mean((0, 1)), recordings.std((0, 1))
    x, y = torch.from_numpy((recordings - mean) / std), torch.from_numpy(labels)

    model = MotionClassifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=3e-3, total_steps=epochs * -(-len(x) // BATCH)
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    for _ in track(range(epochs), "Training"):
        for batch in torch.randperm(len(x), generator=generator).split(BATCH):
            loss = loss_of(model(augment(x[batch], generator)), y[batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return model.eval(), mean, std


def main() -> None:
    model, mean, std = train()
    torch.save(model.state_dict(), FOLDER / "weights.pt")
    np.savez(FOLDER / "normalization.npz", mean=mean, std=std)
    recordings, labels = load("TEST")
    with torch.no_grad():
        scores = model(torch.from_numpy((recordings - mean) / std))
    accuracy = float((scores.argmax(1).numpy() == labels).mean())
    print(f"Accuracy on the {len(labels)} test recordings: {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
