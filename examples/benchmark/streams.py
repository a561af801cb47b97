"""What a streamed network needs: one step a call, a running mean over all steps so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import scanlet
from examples.benchmark.networks import NETWORKS, MambaClassifier, console

#: Bytes of RAM, everything counted, that a stream of single steps may take.
BARS = {"float32": 14_336, "int8": 8_192}
CORE = "cortex-m7"


def stream_memory(name: str) -> list[dict[str, Any]]:
    """RAM and instructions of one step on a Cortex-M7, by precision; int8 with an int16 state."""
    features, classes, length = NETWORKS[name]
    torch.manual_seed(0)
    model = MambaClassifier(features, classes).eval()
    rng = np.random.default_rng(0)
    samples = list(rng.standard_normal((16, 1, length, features)).astype(np.float32))
    rows = []
    for precision, bar in BARS.items():
        compiled = scanlet.compile(
            model,
            torch.zeros(1, length, features),
            target="generic",
            name="network",
            precision=precision,
            state="int16" if precision != "float32" else None,
            mode="stream",
            chunk=1,
            pooling="mean",
            calibration_data=samples,
            progress=False,
        )
        cost = compiled.measure(on=CORE)
        console.print(
            f"{name} as a stream of single steps, {precision}: {cost['ram_bytes']:,} bytes of RAM "
            f"(at most {bar:,}), {cost['instructions']:,} instructions a step"
        )
        rows.append({"network": name, "mode": "stream", "precision": precision, **cost})
    return rows
