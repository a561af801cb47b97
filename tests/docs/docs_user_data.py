"""What a reader is expected to have: files, and names in Python, that stand in for theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from docs_pages import CHECKOUT


def prepare(page: str, folder: Path) -> dict[str, Any]:
    """Fill a page's folder; returns the names that its Python blocks start with."""
    (folder / "examples").symlink_to(CHECKOUT / "examples")
    if page == "README.md":
        return _readme(folder)
    return {}


def _readme(folder: Path) -> dict[str, Any]:
    """Recordings of six sensors with their classes, and two checkpoints."""
    from safetensors.torch import save_file

    from scanlet.nn import MambaLMHeadModel

    recordings = np.random.default_rng(0).standard_normal((16, 100, 6)).astype(np.float32)
    np.save(folder / "recordings.npy", recordings)
    np.save(folder / "classes.npy", np.arange(16) % 4)
    model = MambaLMHeadModel(16, 2, 48, d_state=4)
    tensors = {k: v.clone() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    config = {"d_model": 16, "n_layer": 2, "vocab_size": 48, "norm_epsilon": 1e-5}
    tiny = folder / "checkpoints" / "tiny-mamba"
    tiny.mkdir(parents=True)
    save_file(tensors, tiny / "model.safetensors")
    (tiny / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "weights.safetensors")
    (folder / "small.json").write_text(json.dumps(config))
    samples = [sample[np.newaxis] for sample in recordings]
    return {"recordings": samples, "recording": samples[0]}
