"""Trainable PyTorch modules in the canonical form that the compiler recognises.

RMSNorm is `torch.nn.RMSNorm` (with an explicit `eps`); it is captured as it is.
"""

from scanlet.nn.bidirectional import Bidirectional
from scanlet.nn.diagonal import DiagonalSSM
from scanlet.nn.diagonal_functional import diagonal_convolution, diagonal_scan
from scanlet.nn.functional import mamba_mixer, selective_scan
from scanlet.nn.language_model import MambaBlock, MambaLMHeadModel, MambaModel
from scanlet.nn.mamba import MambaMixer
from scanlet.nn.mamba2 import Mamba2Mixer
from scanlet.nn.mamba2_functional import mamba2_mixer, ssd_scan

__all__ = [
    "Bidirectional",
    "DiagonalSSM",
    "Mamba2Mixer",
    "MambaBlock",
    "MambaLMHeadModel",
    "MambaMixer",
    "MambaModel",
    "diagonal_convolution",
    "diagonal_scan",
    "mamba2_mixer",
    "mamba_mixer",
    "selective_scan",
    "ssd_scan",
]
