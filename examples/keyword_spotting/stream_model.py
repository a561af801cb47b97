"""The trained keyword spotter for sound without an end: its convolutions look back only."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad

from examples.keyword_spotting.features import CHANNELS, FRAMES
from examples.keyword_spotting.model import KeywordSpotter

#: Frames of 10 ms that a step takes: the stem's stride.
STEP_FRAMES = 2


class StreamingSpotter(nn.Module):
    """`trained`, with zeros ahead of the recording where its convolutions take none.

    Input (1, L, 40) raw features, L even; output (1, 6). The steps that both compute are the same
    numbers; this one has two more, at the start, which lets it answer from the first frames on.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, trained: nn.Module, mean: torch.Tensor, std: torch.Tensor) -> None:
        super().__init__()
        assert isinstance(trained, KeywordSpotter)
        self.trained = trained
        self.register_buffer("mean", mean.float())
        self.register_buffer("std", std.float())
        self.example_input_array = torch.zeros(1, FRAMES, CHANNELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, first_norm, relu, second, second_norm, last_relu = self.trained.stem
        x = ((x - self.mean) / self.std).transpose(1, 2)
        x = relu(first_norm(first(pad(x, (1, 0)))))
        x = last_relu(second_norm(second(pad(x, (2, 0))))).transpose(1, 2)
        x = x + self.trained.mixer(x)
        return self.trained.classifier(x.mean(dim=1))
