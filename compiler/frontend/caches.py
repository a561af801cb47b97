"""Language models that return their caches: what is compiled carries its state by itself."""

from __future__ import annotations

from torch import nn


def without_caches(model: nn.Module) -> nn.Module:
    """The model (a copy already) with `config.use_cache` off, as transformers' models have it.

    It changes what they return beside their outputs, and lets their mixers be called without one.
    """
    for module in model.modules():
        config = getattr(module, "config", None)
        if config is not None and getattr(config, "use_cache", None) is True:
            config.use_cache = False
    return model
