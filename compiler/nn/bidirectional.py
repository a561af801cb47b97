"""Run a mixer over the sequence in both directions."""

from __future__ import annotations

import torch
from torch import nn


class Bidirectional(nn.Module):
    """forward(x) + backward(reversed x), reversed again; x and y are (B, L, d_model).

    The two directions have parameters of their own. This is the external form of bidirectionality
    (two mixers, flip and add), not Vision Mamba's, which shares projections inside one mixer.
    """

    def __init__(self, forward_mixer: nn.Module, backward_mixer: nn.Module) -> None:
        super().__init__()
        self.forward_mixer = forward_mixer
        self.backward_mixer = backward_mixer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_mixer(x) + self.backward_mixer(x.flip(1)).flip(1)
