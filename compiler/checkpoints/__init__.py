"""Trained models from checkpoints on disk, without the code that they were trained with.

`files` reads weights and config, `names` finds the kind beneath wrappers' prefixes, one file a
kind (`mixer`, `mamba_ssm`, `hugging_face`, `mambapy`, ...) says what its names mean,
`language_model` builds what most of them are, `fit` puts the weights in. Imports torch.
"""

from scanlet.checkpoints.api import load
from scanlet.checkpoints.checkpoint import CheckpointWarning

__all__ = ["CheckpointWarning", "load"]
