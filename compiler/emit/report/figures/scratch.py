"""One time tile's buffers by offset: those that are not needed together overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanlet.emit.report.figures.canvas import PALETTE, WIDTH_PT, figure, plain, svg

ROW = 17.0


def draw(layer: Mapping[str, Any], *, name: str) -> str:
    """`layer` as in the report."""
    from matplotlib.patches import Rectangle

    whole = max(layer["scratch_bytes"], 1)
    height = ROW * max(len(layer["scratch"]), 1) + 2
    made, axes = figure(name, height)
    plain(axes)
    axes.set_xlim(0, WIDTH_PT)
    axes.set_ylim(height, 0)
    for i, buffer in enumerate(layer["scratch"]):
        x = WIDTH_PT * buffer["offset"] / whole
        width = max(WIDTH_PT * buffer["bytes"] / whole, 1.0)
        colour = PALETTE[i % 6]
        axes.add_patch(Rectangle((x, i * ROW), width, ROW - 2, facecolor=colour, alpha=0.6))
        text = f"{buffer['name']} {buffer['bytes']:,}"
        left = x + 4 if x + 5.4 * len(text) < WIDTH_PT else WIDTH_PT - 4
        align = "left" if left == x + 4 else "right"
        axes.text(left, i * ROW + (ROW - 2) / 2, text, va="center", ha=align, size=7.5)
    description = ", ".join(
        f"{b['name']} {b['bytes']:,} bytes at {b['offset']:,}" for b in layer["scratch"]
    )
    title = f"Scratch of one time tile of {layer['name']}"
    return svg(made, name, title, description or "no scratch")
