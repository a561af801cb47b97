"""Training of the activity classifier on the 21 training people, three of them for validation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from examples.comparison import console, run_pytorch
from examples.uci_har.data import Windows
from examples.uci_har.model import ActivityClassifier

BATCH = 64
VALIDATION_PEOPLE = (5, 17, 27)


def train(windows: Windows, epochs: int) -> tuple[ActivityClassifier, np.ndarray, np.ndarray]:
    """The model of the best validation epoch, and the mean and deviation (9,) of its input."""
    torch.manual_seed(0)
    mean, std = windows.x.mean((0, 1)), windows.x.std((0, 1))
    held_out = np.isin(windows.subject, VALIDATION_PEOPLE)
    fit, validation = windows.where(~held_out), windows.where(held_out)
    if not len(fit.x) or not len(validation.x):
        raise SystemExit("Too few windows: no person is left to validate with. Raise --limit.")

    model = ActivityClassifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    steps = epochs * -(-len(fit.x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    best, best_state = -1.0, model.state_dict()
    for epoch in range(1, epochs + 1):
        model.train()
        losses = []
        for x, y in _batches(fit, mean, std):
            loss = loss_of(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        scores = run_pytorch(model.eval(), (validation.x - mean) / std, batch=256)
        accuracy = float((scores.argmax(1) == validation.y).mean())
        console.print(
            f"epoch {epoch:2}/{epochs}: loss {np.mean(losses):.3f}, "
            f"accuracy on the validation people {100 * accuracy:.1f} %"
        )
        if accuracy >= best:
            best = accuracy
            best_state = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best_state)
    return model.eval(), mean, std


def _batches(
    windows: Windows, mean: np.ndarray, std: np.ndarray
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch of normalized, augmented batches: each phone sits and measures a bit differently.

    The gain and the offset are drawn anew for each window and channel.
    """
    order = torch.randperm(len(windows.x)).numpy()
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        x = torch.from_numpy((windows.x[chosen] - mean) / std)
        x = x * (1 + 0.1 * torch.randn(len(x), 1, x.shape[2]))
        x = x + 0.1 * torch.randn(len(x), 1, x.shape[2])
        yield x + 0.05 * torch.randn_like(x), torch.from_numpy(windows.y[chosen])
