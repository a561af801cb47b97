"""Small models that the tests of the public surface compile."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import scanlet
from scanlet.nn import MambaMixer


class Classifier(nn.Module):
    """Linear -> pre-norm residual mixer -> mean over time -> Linear."""

    def __init__(self, features: int = 5, d_model: int = 8, classes: int = 3) -> None:
        super().__init__()
        self.embed = nn.Linear(features, d_model)
        self.norm = nn.LayerNorm(d_model)
        self.mixer = MambaMixer(d_model, d_state=4, d_conv=3)
        self.head = nn.Linear(d_model, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        x = x + self.mixer(self.norm(x))
        return self.head(x.mean(dim=1))


class Tagger(nn.Module):
    """A mixer with an output at every step: the stream case."""

    def __init__(self) -> None:
        super().__init__()
        self.mixer = MambaMixer(6, d_state=4)
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixer(x))


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    torch.manual_seed(1)
    return Classifier().eval()


@pytest.fixture(scope="session")
def compiled(classifier: Classifier) -> scanlet.Compiled:
    return scanlet.compile(
        classifier, torch.zeros(1, 12, 5), name="tiny", labels=["a", "b", "c"], progress=False
    )


@pytest.fixture(scope="session")
def tagger() -> Tagger:
    torch.manual_seed(2)
    return Tagger().eval()
