"""The network of MambaLite-Micro: Linear, one Mamba (64/128/16), mean over time, Linear.

Xu, Wu, Wen et al., "MambaLite-Micro: memory-optimized Mamba inference on MCUs", arXiv:2509.05488.
The published weights (MIT licence) name the parameters as `mamba_ssm` does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mambapy.mamba import MambaBlock, MambaConfig
from torch import nn

from scanlet.nn import MambaMixer

D_MODEL = 64
D_STATE = 16


class MambaLiteMicro(nn.Module):
    """Input (B, L, features), output (B, classes)."""

    def __init__(self, features: int, classes: int, mixer: nn.Module) -> None:
        super().__init__()
        self.linear_in = nn.Linear(features, D_MODEL)
        self.mamba = mixer
        self.classifier = nn.Linear(D_MODEL, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.mamba(self.linear_in(x)).mean(dim=1))


def scanlet_mixer() -> nn.Module:
    return MambaMixer(D_MODEL, d_state=D_STATE)


def mambapy_mixer() -> nn.Module:
    return MambaBlock(MambaConfig(d_model=D_MODEL, n_layers=1, d_state=D_STATE))


MIXERS: dict[str, Callable[[], nn.Module]] = {
    "scanlet.nn.MambaMixer": scanlet_mixer,
    "mambapy's MambaBlock": mambapy_mixer,
}


def load_model(weights: Path, mixer: Callable[[], nn.Module]) -> nn.Module:
    """The published network with the chosen implementation of the mixer, in eval mode."""
    stored = {name: torch.from_numpy(value) for name, value in np.load(weights).items()}
    # Published as (channels, taps); a depthwise Conv1d holds (channels, 1, taps).
    stored["mamba.conv1d.weight"] = stored["mamba.conv1d.weight"].unsqueeze(1)
    features = stored["linear_in.weight"].shape[1]
    classes = stored["classifier.weight"].shape[0]
    model = MambaLiteMicro(features, classes, mixer())
    model.load_state_dict(stored)
    return model.eval()
