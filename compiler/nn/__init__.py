"""Trainable PyTorch modules in the canonical form that the compiler recognises.

RMSNorm is `torch.nn.RMSNorm` (with an explicit `eps`); it is captured as it is.
"""

from scanlet.nn.bidirectional import Bidirectional
from scanlet.nn.functional import mamba_mixer, selective_scan
from scanlet.nn.language_model import MambaBlock, MambaLMHeadModel, MambaModel
from scanlet.nn.mamba import MambaMixer

__all__ = [
    "Bidirectional",
    "MambaBlock",
    "MambaLMHeadModel",
    "MambaMixer",
    "MambaModel",
    "mamba_mixer",
    "selective_scan",
]
